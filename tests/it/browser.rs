//! A page of another origin in a real browser, through `envoy/education-data-platform.yaml`: `cors` stands before hallpass,
//! so that scripts can read refusals, and when to come back.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::tokens::{jwks, now};
use crate::support::{Answer, Gateway, Key, KeyServer, Token, Upstream, wait_for};

const CHROMIUM: &str = "/usr/bin/chromium";
/// A browser starts slowly on a busy machine.
const BROWSER_DEADLINE: Duration = Duration::from_mins(2);
const SUMMARY: &str = "/stats/v1/attendance/summary?school_id=oakwood-primary";

/// Asks until it is refused, then without a token, and tells the server of the page what a script can read.
const PAGE: &str = r#"<!doctype html><script>
const read = async (headers) => {
  try {
    let answer;
    for (let nth = 0; nth < 100; nth += 1) {
      answer = await fetch("API", {headers});
      if (answer.status !== 200) break;
    }
    const names = ["retry-after", "ratelimit", "ratelimit-policy", "x-request-id"];
    return {status: answer.status, headers: Object.fromEntries(names.map((name) => [name, answer.headers.get(name)]))};
  } catch (error) {
    return {error: error.name};
  }
};
(async () => {
  const refused = [await read({authorization: "Bearer TOKEN"}), await read({})];
  await fetch("/report", {method: "POST", body: JSON.stringify(refused)});
})();
</script>"#;

/// A running browser; stopped when it goes out of scope.
struct Browser {
    process: Child,
    _profile: TempDir,
}

impl Browser {
    #[track_caller]
    fn open(url: &str) -> Self {
        assert!(Path::new(CHROMIUM).exists(), "{CHROMIUM} is missing: apt-get install chromium");
        let profile = TempDir::new().expect("a directory");
        let process = Command::new(CHROMIUM)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            // Without it a headless browser ends at once.
            .arg("--remote-debugging-port=0")
            .arg(url)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("Chromium starts");
        Self { process, _profile: profile }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What the script of a page at this host can read.
#[track_caller]
fn report(host: &str) -> Value {
    let (auth, api) = (KeyServer::start(&jwks(&[Key::Rsa1.named("k")])), Upstream::start());
    let page = Upstream::start();
    let gateway = Gateway::builder()
        .bootstrap_file("envoy/education-data-platform.yaml")
        .port(9200, api.port())
        .port(9100, auth.port())
        .replace("https://app.example.com", &format!("http://127.0.0.1:{}", page.port()))
        .start();
    let token = Token::education(Key::Rsa1, "k").claim("tier", json!("free")).claim("exp", json!(now() + 600)).sign();
    let text = PAGE.replace("API", &format!("http://{}{SUMMARY}", gateway.address())).replace("TOKEN", &token);
    page.answer(move |_| Answer::new(200).header("content-type", "text/html").body(text.clone()));
    let _browser = Browser::open(&format!("http://{host}:{}/", page.port()));
    wait_for("the report of the page", BROWSER_DEADLINE, || {
        let seen = page.seen().into_iter().find(|seen| seen.target == "/report")?;
        Some(serde_json::from_slice(&seen.body).expect("JSON"))
    })
}

#[test]
#[ignore = "needs Chromium: apt-get install chromium; then scripts/test --long"]
fn pages_of_an_allowed_origin_read_refusals_and_when_to_come_back() {
    let report = report("127.0.0.1");
    let limited = &report[0];
    assert_eq!(limited["status"], 429, "{report}");
    let wait: u64 = limited["headers"]["retry-after"].as_str().expect("Retry-After").parse().expect("seconds");
    assert!((1..=60).contains(&wait), "{report}");
    for name in ["ratelimit", "ratelimit-policy", "x-request-id"] {
        assert!(limited["headers"][name].as_str().is_some_and(|it| !it.is_empty()), "{name}: {report}");
    }
    assert_eq!(report[1]["status"], 401, "{report}");
}

#[test]
#[ignore = "needs Chromium: apt-get install chromium; then scripts/test --long"]
fn pages_of_another_origin_read_nothing() {
    // The same server by another name is another origin, which the policy does not list.
    let report = report("localhost");
    assert_eq!(report, json!([{"error": "TypeError"}, {"error": "TypeError"}]));
}
