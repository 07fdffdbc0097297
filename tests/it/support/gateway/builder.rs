//! What a gateway is to be, and its start.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::Gateway;
use crate::support::admin::Admin;
use crate::support::bootstrap::{self, Plan, Wire};
use crate::support::client::Client;
use crate::support::process::{Process, root, wasm};
use crate::support::{DEADLINE, wait_for};

type Edit = Box<dyn FnOnce(&mut Value)>;

/// A gateway that does not run yet.
pub struct Builder {
    plan: Plan,
    concurrency: u32,
    file: Option<PathBuf>,
    ports: Vec<(u16, u16)>,
    texts: Vec<(String, String)>,
    edits: Vec<Edit>,
    log_level: &'static str,
    wasm_log_level: &'static str,
}

/// An Envoy that ended before it served.
#[derive(Debug)]
pub struct Refused {
    pub log: String,
}

impl Builder {
    pub(super) fn new() -> Self {
        /// A port at which nobody answers: reserved, and not for those who are not root.
        const NOBODY: u16 = 1;
        Self {
            plan: Plan {
                config: Value::Null,
                wire: Wire::Text,
                stop_iteration: true,
                wasm: true,
                module: PathBuf::new(),
                reloadable: false,
                upstream: NOBODY,
                auth: NOBODY,
            },
            concurrency: 1,
            file: None,
            ports: Vec::new(),
            texts: Vec::new(),
            edits: Vec::new(),
            log_level: "warning",
            wasm_log_level: "debug",
        }
    }

    /// Configuration of the filter; a `Value::String` is sent as it is.
    pub fn config(mut self, config: Value) -> Self {
        self.plan.config = config;
        self
    }

    /// How the configuration is sent; default: JSON in a `StringValue`.
    pub fn wire(mut self, wire: Wire) -> Self {
        self.plan.wire = wire;
        self
    }

    /// Number of workers; default: 1.
    pub fn concurrency(mut self, workers: u32) -> Self {
        self.concurrency = workers;
        self
    }

    /// Port of the cluster `upstream`.
    pub fn upstream(mut self, port: u16) -> Self {
        self.plan.upstream = port;
        self
    }

    /// Port of the cluster `auth`.
    pub fn auth(mut self, port: u16) -> Self {
        self.plan.auth = port;
        self
    }

    /// Whether the filter may hold the headers while it reads the body; default: yes.
    pub fn allow_on_headers_stop_iteration(mut self, allow: bool) -> Self {
        self.plan.stop_iteration = allow;
        self
    }

    /// Another module than the ordinary filter.
    pub fn module(mut self, path: PathBuf) -> Self {
        self.plan.module = path;
        self
    }

    /// Leaves the filter out.
    pub fn without_filter(mut self) -> Self {
        self.plan.wasm = false;
        self
    }

    /// Gives the filter its configuration by a file that [`Gateway::reload`] replaces.
    pub fn reloadable(mut self) -> Self {
        self.plan.reloadable = true;
        self
    }

    /// Changes the bootstrap that was made; runs last, in the order given.
    pub fn edit(mut self, edit: impl FnOnce(&mut Value) + 'static) -> Self {
        self.edits.push(Box::new(edit));
        self
    }

    /// Changes the HTTP connection manager of the bootstrap that was made.
    pub fn edit_connection_manager(self, edit: impl FnOnce(&mut Value) + 'static) -> Self {
        self.edit(|bootstrap| {
            let chain = &mut bootstrap["static_resources"]["listeners"][0]["filter_chains"][0];
            edit(&mut chain["filters"][0]["typed_config"]);
        })
    }

    /// Changes the `PluginConfig` of the filter of the bootstrap that was made.
    pub fn edit_plugin(self, edit: impl FnOnce(&mut Value) + 'static) -> Self {
        self.edit_connection_manager(|manager| {
            edit(&mut manager["http_filters"][0]["typed_config"]["config"]);
        })
    }

    /// Uses a bootstrap of the repository, such as `envoy/x.yaml`, instead of a made one. Ports that [`Self::port`] does
    /// not name are chosen by the system.
    pub fn bootstrap_file(mut self, path: impl AsRef<Path>) -> Self {
        self.file = Some(root().join(path));
        self
    }

    /// Replaces a port of the bootstrap file.
    pub fn port(mut self, from: u16, to: u16) -> Self {
        self.ports.push((from, to));
        self
    }

    /// Replaces a text of the bootstrap file, such as `address: auth` by `address: 127.0.0.1`.
    pub fn replace(mut self, from: &str, to: &str) -> Self {
        self.texts.push((from.to_owned(), to.to_owned()));
        self
    }

    /// Levels of Envoy's log and of the filter's lines in it; default: `warning` and `debug`.
    pub fn log_levels(mut self, envoy: &'static str, wasm: &'static str) -> Self {
        (self.log_level, self.wasm_log_level) = (envoy, wasm);
        self
    }

    /// Starts Envoy and waits until it serves.
    #[track_caller]
    pub fn start(self) -> Gateway {
        self.try_start().unwrap_or_else(|refused| panic!("Envoy ended at start; its log:\n{}", refused.log))
    }

    /// Starts Envoy; an Envoy that refuses the configuration is an error.
    pub fn try_start(self) -> Result<Gateway, Refused> {
        let dir = tempfile::tempdir().expect("a directory for Envoy");
        let concurrency = self.concurrency.to_string();
        let levels = (self.log_level, format!("wasm:{}", self.wasm_log_level));
        let (bootstrap_path, bootstrap, plan) = self.write(dir.path());
        let admin_path = dir.path().join("admin");
        let mut process = Process::start(
            dir.path(),
            &[
                "--config-path",
                &bootstrap_path.display().to_string(),
                "--admin-address-path",
                &admin_path.display().to_string(),
                "--use-dynamic-base-id",
                "--concurrency",
                &concurrency,
                "--log-level",
                levels.0,
                "--component-log-level",
                &levels.1,
                "--file-flush-interval-msec",
                "20",
            ],
        );
        let Some(admin) = until_ready(&mut process, &admin_path) else {
            return Err(Refused { log: process.log() });
        };
        let listeners = wait_for("the listeners", DEADLINE, || {
            Some(admin.listeners()).filter(|list| !list.is_empty() && list.iter().all(|(_, at)| at.port() != 0))
        });
        let client = Client::new(listeners[0].1);
        Ok(Gateway { process, admin, listeners, client, plan, bootstrap, dir })
    }

    /// Has Envoy check the configuration without serving; the error is its log.
    pub fn validate(self) -> Result<(), String> {
        let dir = tempfile::tempdir().expect("a directory for Envoy");
        let (path, _, _) = self.write(dir.path());
        let path = path.display().to_string();
        let mut process =
            Process::start(dir.path(), &["--mode", "validate", "--config-path", &path, "--use-dynamic-base-id"]);
        let status = process.wait(DEADLINE).expect("Envoy ends after its check");
        if status.success() { Ok(()) } else { Err(process.log()) }
    }

    fn write(mut self, dir: &Path) -> (PathBuf, String, Plan) {
        if self.plan.module == Path::new("") && self.plan.wasm {
            self.plan.module = wasm();
        }
        if self.plan.reloadable {
            std::fs::create_dir(dir.join("ecds")).expect("a directory for the configuration");
            write_extension(&self.plan, dir);
        }
        let (name, text) = if let Some(file) = &self.file {
            assert!(self.edits.is_empty(), "a bootstrap file is changed by `port` and `replace`");
            let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            ("envoy.yaml", bootstrap::from_file(&text, &self.plan.module, &self.ports, &self.texts))
        } else {
            let mut value = bootstrap::made(&self.plan, dir);
            for edit in self.edits {
                edit(&mut value);
            }
            ("envoy.json", serde_json::to_string_pretty(&value).expect("JSON can be written"))
        };
        let path = dir.join(name);
        std::fs::write(&path, &text).expect("the bootstrap can be written");
        (path, text, self.plan)
    }
}

/// Waits until Envoy serves; `None` when it ended instead.
fn until_ready(process: &mut Process, admin_path: &Path) -> Option<Admin> {
    wait_for("Envoy to be ready", DEADLINE, || {
        if process.ended().is_some() {
            return Some(None);
        }
        let address = std::fs::read_to_string(admin_path).ok()?.trim().parse().ok()?;
        let admin = Admin::new(address);
        admin.is_ready().then_some(Some(admin))
    })
}

/// Moves the file into its place: Envoy watches for that.
pub(super) fn write_extension(plan: &Plan, dir: &Path) {
    let place = bootstrap::extension_path(dir);
    let new = dir.join("filter.json.new");
    std::fs::write(&new, bootstrap::extension(plan).to_string()).expect("the configuration can be written");
    std::fs::rename(new, place).expect("the configuration can be moved");
}
