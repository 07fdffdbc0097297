//! Callbacks: the lives of contexts as proxy-wasm-cpp-host has them.

use crate::host::{Answer, Host, Stream, pairs};
use crate::rng::Rng;
use crate::vm::{Code, Vm};

/// An instance, and the contexts that it has.
pub struct Drive<'c> {
    /// The module.
    pub code: &'c Code,
    /// The instance.
    pub vm: Vm,
    /// What to do next.
    pub rng: Rng,
    /// Root contexts that live.
    pub roots: Vec<u32>,
    /// The policy of each root context that was ever created.
    pub policies: Vec<(u32, usize)>,
    next: u32,
}

impl<'c> Drive<'c> {
    /// An instance on this host.
    ///
    /// # Errors
    /// It traps.
    pub fn start(code: &'c Code, host: Host, rng: Rng) -> Result<Self, String> {
        Ok(Self { code, vm: code.start(host)?, rng, roots: Vec::new(), policies: Vec::new(), next: 0 })
    }

    /// Calls a callback; the first argument is the context. Checks what it returns. Like Envoy, calls none that the module
    /// does not export.
    ///
    /// # Errors
    /// It traps.
    pub fn callback(&mut self, name: &'static str, args: &[u32]) -> Result<(), String> {
        if !self.vm.exports(name) {
            return Ok(());
        }
        self.vm.host_mut().begin(name, args[0]);
        let result = self.vm.call(name, args)?;
        let is_request =
            matches!(name, "proxy_on_request_headers" | "proxy_on_request_body" | "proxy_on_request_trailers");
        let host = self.vm.host_mut();
        match result {
            0 if is_request => host.pass(args[0], name),
            0 | 1 => {}
            other => host.violations.push(format!("{name} returns {other}")),
        }
        Ok(())
    }

    /// Creates and configures a root context with the configuration of this policy.
    ///
    /// # Errors
    /// It traps.
    pub fn root(&mut self, policy: usize) -> Result<u32, String> {
        let root = self.create(0)?;
        self.policies.push((root, policy));
        self.callback("proxy_on_vm_start", &[root, 0])?;
        self.configure(root)?;
        Ok(root)
    }

    /// Configures a root context with what the host has.
    ///
    /// # Errors
    /// It traps.
    pub fn configure(&mut self, root: u32) -> Result<(), String> {
        let len = u32::try_from(self.vm.host().configuration.len()).unwrap_or(u32::MAX);
        self.callback("proxy_on_configure", &[root, len])
    }

    /// Creates a context; a root context where `root` is 0.
    ///
    /// # Errors
    /// It traps.
    pub fn create(&mut self, root: u32) -> Result<u32, String> {
        self.next += 1;
        let context = self.next;
        let policy = self.policies.iter().find(|(it, _)| *it == root).map_or(0, |(_, policy)| *policy);
        let host = self.vm.host_mut();
        if root == 0 {
            host.roots.push(context);
            self.roots.push(context);
        } else {
            host.streams.insert(context, Stream { policy, ..Stream::default() });
        }
        self.callback("proxy_on_context_create", &[context, root])?;
        Ok(context)
    }

    /// Creates a stream.
    ///
    /// # Errors
    /// It traps.
    pub fn open(&mut self, root: u32) -> Result<u32, String> {
        self.create(root)
    }

    /// Deletes a context.
    ///
    /// # Errors
    /// It traps.
    pub fn delete(&mut self, context: u32) -> Result<(), String> {
        let ended = self.callback("proxy_on_delete", &[context]);
        self.roots.retain(|it| *it != context);
        let host = self.vm.host_mut();
        host.roots.retain(|it| *it != context);
        host.streams.remove(&context);
        ended
    }

    /// A whole request: head, body if there is one, the response if it passes, and the end.
    ///
    /// # Errors
    /// It traps.
    pub fn request(&mut self, root: u32, head: crate::host::Pairs, body: &[u8]) -> Result<Stream, String> {
        let context = self.open(root)?;
        self.head(context, head, body.is_empty())?;
        if !body.is_empty() && self.stream(context).replies == 0 {
            self.body(context, body, true)?;
        }
        let stream = self.stream(context).clone();
        let status = if stream.replies > 0 { "403" } else { "200" };
        if stream.replies > 0 || stream.passed {
            self.respond(context, status)?;
        }
        let stream = self.stream(context).clone();
        for name in ["proxy_on_done", "proxy_on_log"] {
            self.callback(name, &[context])?;
        }
        self.delete(context)?;
        Ok(stream)
    }

    /// The head of a request.
    ///
    /// # Errors
    /// It traps.
    pub fn head(&mut self, context: u32, head: crate::host::Pairs, ends: bool) -> Result<(), String> {
        let count = u32::try_from(head.len()).unwrap_or(u32::MAX);
        self.stream_mut(context).request = head;
        self.callback("proxy_on_request_headers", &[context, count, u32::from(ends)])
    }

    /// A piece of the body, added to what is buffered.
    ///
    /// # Errors
    /// It traps.
    pub fn body(&mut self, context: u32, piece: &[u8], ends: bool) -> Result<(), String> {
        let stream = self.stream_mut(context);
        stream.body.extend_from_slice(piece);
        let len = u32::try_from(stream.body.len()).unwrap_or(u32::MAX);
        self.callback("proxy_on_request_body", &[context, len, u32::from(ends)])
    }

    /// The head of the response.
    ///
    /// # Errors
    /// It traps.
    pub fn respond(&mut self, context: u32, status: &str) -> Result<(), String> {
        self.stream_mut(context).response = pairs(&[(":status", status), ("x-actual-cost", "2")]);
        self.callback("proxy_on_response_headers", &[context, 2, 0])
    }

    /// The trailers of the response.
    ///
    /// # Errors
    /// It traps.
    pub fn end_response(&mut self, context: u32) -> Result<(), String> {
        self.stream_mut(context).response_trailers = pairs(&[("grpc-status", "0"), ("x-actual-cost", "2")]);
        self.callback("proxy_on_response_trailers", &[context, 2])
    }

    /// Answers the call-out at this place of those under way.
    ///
    /// # Errors
    /// It traps.
    pub fn answer(&mut self, at: usize, answer: Answer) -> Result<(), String> {
        let call = self.vm.host_mut().call_outs.swap_remove(at);
        let headers = u32::try_from(answer.headers.len()).unwrap_or(u32::MAX);
        let body = u32::try_from(answer.body.len()).unwrap_or(u32::MAX);
        self.vm.host_mut().answer = Some(answer);
        let ended = self.callback("proxy_on_http_call_response", &[call.context, call.token, headers, body, 0]);
        self.vm.host_mut().answer = None;
        ended
    }

    /// Answers every call-out with the document that it asks for, until none is sent any more.
    ///
    /// # Errors
    /// It traps.
    pub fn fetch_all(&mut self, root: u32) -> Result<(), String> {
        self.callback("proxy_on_tick", &[root])?;
        while let Some(call) = self.vm.host().call_outs.first().cloned() {
            self.answer(0, good_answer(&call.path))?;
        }
        self.callback("proxy_on_tick", &[root])
    }

    /// A stream that lives.
    ///
    /// # Panics
    /// It does not.
    pub fn stream(&self, context: u32) -> &Stream {
        &self.vm.host().streams[&context]
    }

    /// A stream that lives.
    ///
    /// # Panics
    /// It does not.
    pub fn stream_mut(&mut self, context: u32) -> &mut Stream {
        self.vm.host_mut().streams.get_mut(&context).expect("a stream that lives")
    }
}

/// What a good server answers.
pub fn good_answer(path: &str) -> Answer {
    Answer {
        headers: pairs(&[(":status", "200"), ("cache-control", "max-age=3600")]),
        body: crate::corpus::document(path),
    }
}
