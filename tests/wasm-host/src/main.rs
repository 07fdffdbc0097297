//! `cost` prints what requests cost; `flat` how that grows with the number of things; `fuzz` plays hostile hosts. See the documentation of the library.
#![allow(
    clippy::expect_used,
    clippy::exit,
    clippy::disallowed_methods,
    reason = "a tool for tests; it looks at the clock"
)]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use wasm_host::vm::Code;
use wasm_host::{cost, flat, fuzz};

const USAGE: &str = "usage: wasm-host cost [--details] [--bless]\n       wasm-host flat [--full]\n       wasm-host fuzz [--seconds N] [--seed N]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| arguments.iter().any(|it| it == flag);
    let number = |flag: &str| {
        let mut after = arguments.iter().skip_while(|it| *it != flag).skip(1);
        after.next().and_then(|text| text.parse::<u64>().ok())
    };
    match arguments.first().map(String::as_str) {
        Some("cost") => show_cost(has("--bless"), has("--details")),
        Some("flat") => {
            print!("{}", flat::table(&flat::measure(&Code::load(), has("--full"))));
            ExitCode::SUCCESS
        }
        Some("fuzz") => run(number("--seconds").unwrap_or(60), number("--seed").unwrap_or_else(fuzz::fresh_seed)),
        _ => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn show_cost(bless: bool, details: bool) -> ExitCode {
    let code = Code::load();
    let costs = cost::measure(&code);
    print!("{}", cost::table(&costs));
    if details {
        for it in &costs {
            print!("\n{}", cost::details(it));
        }
    }
    if bless {
        std::fs::write(cost::file(), cost::to_json(&code, &costs)).expect("cost.json can be written");
    }
    ExitCode::SUCCESS
}

/// Goes on after a finding, so that a long run tells them all.
fn run(seconds: u64, seed: u64) -> ExitCode {
    let code = Code::load();
    let mut tally = fuzz::Tally::default();
    let (begin, mut findings) = (Instant::now(), 0_u32);
    println!("seeds from {seed}");
    for seed in seed.. {
        if let Err(finding) = fuzz::run(&code, seed, &mut tally) {
            println!("{finding}");
            findings = findings.saturating_add(1);
        }
        if begin.elapsed() >= Duration::from_secs(seconds) {
            break;
        }
    }
    println!("{tally:?} in {} s, {findings} findings", begin.elapsed().as_secs());
    ExitCode::from(u8::from(findings > 0))
}
