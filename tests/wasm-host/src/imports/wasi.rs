//! The few calls of WASI that a module makes: they go well, but for breaches that are committed on purpose.

use super::status::UNIMPLEMENTED;
use super::{Args, status, word, write};
use crate::host::{Effect, Host};

impl Host {
    /// `None`: a pointer lies outside of the memory.
    pub(super) fn wasi(&mut self, name: &str, args: &Args<'_>) -> Option<Effect> {
        Some(match name {
            "random_get" => {
                let bytes = (0..args.place(1)).map(|_| self.randomness.number().to_le_bytes()[0]).collect();
                Effect { writes: vec![(args.place(0), bytes)], ..Effect::default() }
            }
            "environ_sizes_get" => {
                let bytes: usize = self.environment.iter().map(|it| it.len() + 1).sum();
                Effect {
                    writes: vec![
                        (args.place(0), word(self.environment.len()).to_vec()),
                        (args.place(1), word(bytes).to_vec()),
                    ],
                    ..Effect::default()
                }
            }
            "environ_get" => self.environ(args),
            "fd_write" => self.fd_write(args)?,
            "proc_exit" => Effect { exit: Some(args.word(0)), ..Effect::default() },
            _ => status(UNIMPLEMENTED),
        })
    }

    fn environ(&self, args: &Args<'_>) -> Effect {
        let (mut writes, mut at) = (Vec::new(), args.place(1));
        for (nth, entry) in self.environment.iter().enumerate() {
            writes.push((args.place(0) + 4 * nth, word(at).to_vec()));
            writes.push((at, [entry.as_slice(), b"\0"].concat()));
            at += entry.len() + 1;
        }
        Effect { writes, ..Effect::default() }
    }

    fn fd_write(&mut self, args: &Args<'_>) -> Option<Effect> {
        let mut written = 0;
        for nth in 0..args.place(2) {
            let at = args.place(1) + 8 * nth;
            let place = |at: usize| Some(u64::from(u32::from_le_bytes(args.memory.get(at..at + 4)?.try_into().ok()?)));
            let (start, len) = (place(at)?, place(at + 4)?);
            let vector = Args { args: &[start, len], memory: args.memory };
            let bytes = vector.bytes(0)?;
            self.stderr.push_str(&String::from_utf8_lossy(bytes));
            written += bytes.len();
        }
        Some(write(args.place(3), &word(written)))
    }
}
