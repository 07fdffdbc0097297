//! Configurations: JSON and protobuf; any bytes load or are refused, and what loads serves.

use hallpass::config::Config;
use hallpass::filter::request::{Event, Request};
use hallpass::filter::worker::Worker;
use hallpass::http::head::Head;

use crate::{NOW, is_header_safe};

/// What Envoy hands over.
pub fn config(data: &[u8]) {
    let config = match Config::from_bytes(data) {
        Ok(config) => config,
        Err(errors) => return assert!(!errors.to_string().is_empty()),
    };
    assert!(!config.routes.is_empty());
    assert!(config.forward.names().iter().all(|(_, name)| is_header_safe(name.as_bytes()) && !name.is_empty()));
    for route in &config.routes {
        // A guarded route is one that some issuer's tokens or some key can open.
        let bearer = route.requires(hallpass::policy::route::Credential::Bearer);
        assert!(!bearer || !route.issuers.is_empty(), "{}", route.path.template);
        assert!(route.issuers.iter().all(|index| *index < config.issuers.len()));
        let key = route.requires(hallpass::policy::route::Credential::ApiKey);
        assert!(!key || config.api_keys.is_some(), "{}", route.path.template);
    }
    let mut worker = Worker::new(config, 1);
    let paths: Vec<String> = worker.config.routes.iter().map(|route| route.path.template.clone()).collect();
    for path in paths.iter().take(4) {
        let head = Head::from_pairs(&[(":method", "GET"), (":path", path), (":authority", "a")]).ending(true);
        let _ = Request::default().step(&mut worker, &head, NOW, Event::Head);
    }
}
