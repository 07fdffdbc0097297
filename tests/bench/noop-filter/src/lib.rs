//! A filter that does nothing: what any WebAssembly filter costs, on the plain SDK.
//!
//! Configured with the word `calls`, it makes the host calls that hallpass makes for a request of the first system, with
//! values of the same length, and nothing else: what no filter that does this work can be cheaper than.
#![allow(unsafe_code, missing_docs)]

use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, MapType, Status};

/// A slot with one client and three limits takes about this much.
const SLOT_BYTES: usize = 110;
const ROUTE: &str = "/stats/v1/attendance/summary";
const POLICY: &str = r#""minute";q=1000000000;w=60, "day";q=1000000000;w=86400"#;
const STANDING: &str = r#""minute";r=999999999;t=1, "day";r=999999998;t=69392"#;

unsafe extern "C" {
    fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize) -> u32;
}

proxy_wasm::main! {{
    proxy_wasm::set_root_context(|_| Box::new(Root { calls: false }));
}}

struct Root {
    calls: bool,
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _size: usize) -> bool {
        let text = self.get_plugin_configuration().unwrap_or_default();
        self.calls = text == b"calls";
        // A slot to write.
        !self.calls || hostcalls::set_shared_data("slot.0", Some(&[0; SLOT_BYTES]), None).is_ok()
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Request { calls: self.calls }))
    }
}

struct Request {
    calls: bool,
}

impl Context for Request {}

impl HttpContext for Request {
    fn on_http_request_headers(&mut self, _count: usize, _end: bool) -> Action {
        if self.calls {
            let _made = request_calls();
        }
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _count: usize, _end: bool) -> Action {
        if self.calls {
            let _made = response_calls();
        }
        Action::Continue
    }
}

/// Reads the headers and the clock, writes one slot, and tells the upstream and the access log.
fn request_calls() -> Result<(), Status> {
    let request = MapType::HttpRequestHeaders;
    // In bytes, as hallpass reads them: the SDK would make strings of them.
    let (mut data, mut size) = (std::ptr::null_mut(), 0);
    // SAFETY: both point to variables of this function. What the host returns was allocated here, by the SDK, with just
    // that size, and is owned by nobody else.
    unsafe {
        if proxy_get_header_map_pairs(request as u32, &raw mut data, &raw mut size) == 0 && !data.is_null() {
            drop(Box::from_raw(std::ptr::slice_from_raw_parts_mut(data, size)));
        }
    }
    hostcalls::get_current_time()?;
    // A worker that is alone need not read it before.
    hostcalls::set_shared_data("slot.0", Some(&[0; SLOT_BYTES]), None)?;
    hostcalls::set_map_value(request, "x-claim-schools", Some("10000000,10000001,10000002"))?;
    hostcalls::set_map_value(request, "x-claim-client-id", Some("client-000000"))?;
    hostcalls::set_map_value(request, "authorization", None)?;
    hostcalls::set_map_value(request, "x-claim-tier", Some("standard"))?;
    let facts = [("decision", "allow"), ("tier", "standard"), ("client", "client-000000"), ("route", ROUTE)];
    for (name, value) in facts {
        hostcalls::set_property(vec!["hallpass", name], Some(value.as_bytes()))?;
    }
    Ok(())
}

/// Looks for a settlement, and sets both `RateLimit` fields.
fn response_calls() -> Result<(), Status> {
    let response = MapType::HttpResponseHeaders;
    hostcalls::get_map_value(response, "x-actual-cost")?;
    hostcalls::set_map_value(response, "ratelimit-policy", Some(POLICY))?;
    hostcalls::set_map_value(response, "ratelimit", Some(STANDING))
}
