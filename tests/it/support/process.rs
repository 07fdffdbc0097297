//! The Envoy process: found, started, watched, stopped.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The filter: `HALLPASS_WASM`, else what `scripts/build` made.
pub fn wasm() -> PathBuf {
    let path = std::env::var_os("HALLPASS_WASM").map_or_else(|| root().join("target/hallpass.wasm"), PathBuf::from);
    assert!(path.is_file(), "there is no filter at {}: run scripts/build", path.display());
    path
}

/// The filter with the feature `test-faults`: `HALLPASS_FAULTS_WASM`, else what `scripts/build` made.
pub fn faulty_wasm() -> PathBuf {
    let place = || root().join("target/hallpass-faults.wasm");
    let path = std::env::var_os("HALLPASS_FAULTS_WASM").map_or_else(place, PathBuf::from);
    let hint = "run scripts/build --features test-faults -o target/hallpass-faults.wasm";
    assert!(path.is_file(), "there is no filter that fails on demand at {}: {hint}", path.display());
    path
}

/// Envoy: `HALLPASS_ENVOY`, else the newest that `scripts/get-envoy` got.
pub fn envoy() -> PathBuf {
    let path = std::env::var_os("HALLPASS_ENVOY").map_or_else(newest_envoy, |path| Some(PathBuf::from(path)));
    let path = path.expect("there is no Envoy in .tools: run scripts/get-envoy");
    assert!(path.is_file(), "there is no Envoy at {}: run scripts/get-envoy", path.display());
    path
}

fn newest_envoy() -> Option<PathBuf> {
    let version = |path: &Path| -> Option<Vec<u32>> {
        let name = path.file_name()?.to_str()?.strip_prefix("envoy-")?;
        name.split('.').map(|part| part.parse().ok()).collect()
    };
    std::fs::read_dir(root().join(".tools"))
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.join("envoy/_bin/envoy").is_file())
        .filter_map(|path| Some((version(&path)?, path)))
        .max()
        .map(|(_, path)| path.join("envoy/_bin/envoy"))
}

/// A running Envoy.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts Envoy; its log goes to `dir`.
    pub fn start(dir: &Path, arguments: &[&str]) -> Self {
        let log = dir.join("envoy.log");
        let file = File::create(&log).expect("the log file can be written");
        let child = Command::new(envoy())
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a file handle can be cloned"))
            .stderr(file)
            .spawn()
            .expect("Envoy starts");
        Self { child, log }
    }

    /// The number of the process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything that Envoy logged.
    pub fn log(&self) -> String {
        let bytes = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// How Envoy ended, if it did.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be asked")
    }

    /// Asks Envoy to end.
    pub fn terminate(&mut self) {
        // Only while it runs is the number surely still ours.
        if self.ended().is_none() {
            let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        }
    }

    /// Waits until Envoy ends by itself; `None` after `deadline`.
    pub fn wait(&mut self, deadline: Duration) -> Option<ExitStatus> {
        let start = Instant::now();
        while start.elapsed() < deadline {
            if let Some(status) = self.ended() {
                return Some(status);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        None
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.terminate();
        if self.wait(Duration::from_secs(3)).is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
