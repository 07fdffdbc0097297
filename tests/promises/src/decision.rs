//! The whole decision: any request against one configuration, driven as the shell drives it. Never a panic, never a pass
//! without an allow, and one terminal step.

use std::collections::HashMap;

use hallpass::config::Config;
use hallpass::credentials::jwt::signature::NoHost;
use hallpass::credentials::opaque::lookup::Found;
use hallpass::filter::request::{Edit, Event, Forward, ReplyHead, Request, Step};
use hallpass::filter::worker::Worker;
use hallpass::http::head::Head;
use hallpass::limits::key::{LimitKey, Secret, SlotId};
use hallpass::limits::ledger::{self, Slots};
use hallpass::values::shared::{SharedData, StoreError, Swap, Version};

use crate::token::sign;
use crate::{NOW, fields, is_header_safe, line, paragraph};

/// Lines of headers (`authorization: Bearer {token}` is replaced by a token), an empty line, the claims of that token, an
/// empty line, and the body.
pub fn decision(data: &[u8]) {
    let (lines, rest) = paragraph(data);
    let (claims, body) = line(rest);
    let token = format!("Bearer {}", sign(br#"{"alg":"HS256"}"#, claims));
    let pairs: Vec<(&[u8], &[u8])> = fields(&lines)
        .into_iter()
        .map(|(name, value)| if value == b"Bearer {token}" { (name, token.as_bytes()) } else { (name, value) })
        .collect();
    let mut drive = Drive::new(Head::from_pairs(&pairs).ending(body.is_empty()));
    drive.run(Event::Head, body);
    // Nothing that comes later changes the verdict.
    let before = drive.ends;
    for event in [Event::Body(body), Event::TooBig, Event::Ready, Event::Verified(true), Event::Head, Event::Gone] {
        drive.run(event, body);
    }
    drive.run(Event::Reply(ReplyHead { status: 200, settlement: Some(body) }), body);
    assert!(drive.ends == before || before == 0, "two terminal steps");
    assert!(drive.ends <= 1, "two terminal steps");
}

/// One request on its way.
struct Drive {
    worker: Worker,
    request: Request,
    head: Head,
    shelf: HashMap<Vec<u8>, Vec<u8>>,
    has_verified: bool,
    ends: u32,
}

struct Shelf<'a>(&'a mut HashMap<Vec<u8>, Vec<u8>>);

impl Slots for Shelf<'_> {
    fn slot_of(&self, key: &LimitKey) -> SlotId {
        key.slot(&Secret::default())
    }
}

impl SharedData for Shelf<'_> {
    fn read(&mut self, key: &[u8], into: &mut Vec<u8>) -> Result<Version, StoreError> {
        into.clear();
        into.extend_from_slice(self.0.get(key).map_or(&[][..], Vec::as_slice));
        Ok(Version::Cas(1))
    }

    fn swap(&mut self, key: &[u8], bytes: &[u8], _: Version) -> Result<Swap, StoreError> {
        self.0.insert(key.to_vec(), bytes.to_vec());
        Ok(Swap::Done)
    }
}

impl Drive {
    fn new(head: Head) -> Self {
        let config = Config::from_bytes(include_bytes!("decision.json")).unwrap_or_else(|errors| panic!("{errors}"));
        let worker = Worker::new(config, 1);
        Self { worker, request: Request::default(), head, shelf: HashMap::new(), has_verified: false, ends: 0 }
    }

    fn run(&mut self, event: Event<'_>, body: &[u8]) {
        let Self { worker, request, head, shelf, has_verified, ends } = self;
        let mut step = request.step(worker, head, NOW, event);
        // Address, guard, admission, failures, plan, rest, body: no request takes more than these.
        for _ in 0..20 {
            let event = match step {
                Step::NeedAddress => Event::Address(None),
                Step::NeedCertificate => Event::Certificate(None),
                Step::Charge(charges) => Event::Charged(ledger::reserve(&mut Shelf(shelf), &charges, NOW)),
                Step::Peek(charge) => Event::Peeked(ledger::peek(&mut Shelf(shelf), charge, NOW)),
                Step::Refund(receipt) => {
                    assert!(ledger::cancel(&mut Shelf(shelf), receipt, NOW).is_ok());
                    Event::Refunded
                }
                Step::Verify(job) => {
                    *has_verified = job.run(&NoHost);
                    Event::Verified(*has_verified)
                }
                // The list has no tokens.
                Step::Lookup(_) => Event::Found(Ok(Found { grant: None, record: None })),
                Step::AwaitBody { max } if body.len() > max => Event::TooBig,
                Step::AwaitBody { .. } => Event::Body(body),
                Step::Pass(forward) => {
                    *ends += 1;
                    assert!(request.is_passed() && request.decision() == Some("allow"));
                    return check_pass(worker, head, &forward, *has_verified);
                }
                Step::Deny(denial) => {
                    *ends += 1;
                    assert!(!request.is_passed() && request.decision() == Some(denial.code()));
                    let answer = request.answer(&denial, head, &worker.config, "id");
                    assert!((400..600).contains(&answer.status) || head.is_grpc() && answer.status == 200);
                    return assert!(answer.headers.iter().all(|(_, value)| is_header_safe(value.as_bytes())));
                }
                Step::AwaitKeys | Step::Reply(_) | Step::Nothing => return,
            };
            step = request.step(worker, head, NOW, event);
        }
        panic!("no end");
    }
}

/// What passes is an open route, or was shown to be allowed; and what the upstream is told can stand in a header.
fn check_pass(worker: &Worker, head: &Head, forward: &Forward, has_verified: bool) {
    let path = head.path().unwrap_or_default();
    let is_open = path.strip_prefix(b"/open").is_some_and(|rest| rest.is_empty() || rest.starts_with(b"?"));
    let Some(caller) = &forward.caller else {
        let is_preflight = path.starts_with(b"/stats") && hallpass::policy::route::is_preflight(head);
        assert!(is_open || is_preflight, "{:?} passes", path.escape_ascii().to_string());
        return;
    };
    assert!(has_verified || forward.key_alone, "nobody has checked the signature");
    if forward.key_alone {
        assert!(path.starts_with(b"/either") && caller.client == "a");
        assert!(caller.schools.as_ref().is_some_and(|schools| schools.header() == b"oak" && schools.contains("oak")));
    }
    let is_told = forward.edits(&worker.config, |edit| match edit {
        Edit::Set(_, value) if is_header_safe(value) => Ok(()),
        Edit::Remove(b"authorization") => Ok(()),
        other => Err(other),
    });
    assert_eq!(is_told, Ok(()));
    let target = String::from_utf8_lossy(path);
    let (place, query) = target.split_once('?').unwrap_or((&target, ""));
    let may_see = |id: &String| caller.schools.as_ref().is_some_and(|schools| schools.contains(id));
    if place == "/stats" || place == "/either" {
        for reader in upstreams::query::all() {
            let read = (reader.read)(query, "school_id");
            assert!(read.iter().all(may_see), "{} reads {read:?} in {query:?}", reader.name);
        }
    }
    assert!(worker.strip.contains(b"X_Claim.Schools"));
}
