//! A filter that does nothing: what any WebAssembly filter costs, on the plain SDK.
//!
//! Configured with a number N, it reads and swaps N slots of shared data on every request, as hallpass does once for the
//! limits of a client. That is how scripts/bench measures what the lock of the shared data costs.
#![allow(unsafe_code, missing_docs)]

use std::cell::Cell;
use std::rc::Rc;

use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType};

/// As many slots as hallpass has for clients.
const SLOTS: u32 = 65_536;
/// A slot with one client and three limits takes about this much.
const SLOT_BYTES: usize = 110;
/// Prime, so that consecutive slots are far apart.
const STRIDE: u32 = 40_503;

proxy_wasm::main! {{
    proxy_wasm::set_root_context(|id| Box::new(Root { id, pairs: 0, next: Rc::new(Cell::new(id)) }));
}}

struct Root {
    id: u32,
    pairs: u32,
    next: Rc<Cell<u32>>,
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _size: usize) -> bool {
        let text = self.get_plugin_configuration().unwrap_or_default();
        self.pairs = std::str::from_utf8(&text).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0);
        true
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _id: u32) -> Option<Box<dyn HttpContext>> {
        // Workers begin at different slots: it is the lock they are to meet at, not one slot.
        self.next.set(self.next.get().wrapping_add(self.id));
        Some(Box::new(Request { pairs: self.pairs, next: Rc::clone(&self.next) }))
    }
}

struct Request {
    pairs: u32,
    next: Rc<Cell<u32>>,
}

impl Context for Request {}

impl HttpContext for Request {
    fn on_http_request_headers(&mut self, _count: usize, _end: bool) -> Action {
        for _ in 0..self.pairs {
            self.next.set(self.next.get().wrapping_add(STRIDE));
            let key = format!("slot.{}", self.next.get() % SLOTS);
            let Ok((_, cas)) = hostcalls::get_shared_data(&key) else { continue };
            // A lost swap is as dear as a won one.
            let _swapped = hostcalls::set_shared_data(&key, Some(&[0; SLOT_BYTES]), cas);
        }
        Action::Continue
    }
}
