//! What a host call answers: the status codes of the proxy-wasm ABI 0.2.1 (`WasmResult` in proxy-wasm-cpp-host).

use std::fmt;

/// Why a host call did not do what it was asked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The item does not exist (1).
    NotFound,
    /// An argument is out of range, or the call is not allowed in this callback (2).
    BadArgument,
    /// The host could not write the value (3).
    SerializationFailure,
    /// The host could not read the value (4).
    ParseFailure,
    /// The expression is invalid (5).
    BadExpression,
    /// A pointer lies outside of the memory of the VM (6).
    InvalidMemoryAccess,
    /// There is nothing to take (7).
    Empty,
    /// Somebody else wrote first (8).
    CasMismatch,
    /// The result has another type than expected (9).
    ResultMismatch,
    /// The host failed (10).
    InternalFailure,
    /// The connection is gone (11).
    BrokenConnection,
    /// The host does not know this call (12).
    Unimplemented,
    /// A code of a newer host.
    Unknown(u32),
}

impl Status {
    /// The result that the code `code` of the ABI stands for; 0 is success.
    ///
    /// # Errors
    /// Every code but 0, under its name.
    pub const fn check(code: u32) -> Result<(), Self> {
        Err(match code {
            0 => return Ok(()),
            1 => Self::NotFound,
            2 => Self::BadArgument,
            3 => Self::SerializationFailure,
            4 => Self::ParseFailure,
            5 => Self::BadExpression,
            6 => Self::InvalidMemoryAccess,
            7 => Self::Empty,
            8 => Self::CasMismatch,
            9 => Self::ResultMismatch,
            10 => Self::InternalFailure,
            11 => Self::BrokenConnection,
            12 => Self::Unimplemented,
            unknown => Self::Unknown(unknown),
        })
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound => "not found",
            Self::BadArgument => "bad argument",
            Self::SerializationFailure => "serialization failure",
            Self::ParseFailure => "parse failure",
            Self::BadExpression => "bad expression",
            Self::InvalidMemoryAccess => "invalid memory access",
            Self::Empty => "empty",
            Self::CasMismatch => "compare-and-swap mismatch",
            Self::ResultMismatch => "result mismatch",
            Self::InternalFailure => "internal failure",
            Self::BrokenConnection => "broken connection",
            Self::Unimplemented => "unimplemented",
            Self::Unknown(code) => return write!(f, "unknown status {code}"),
        })
    }
}

impl std::error::Error for Status {}

#[cfg(test)]
mod tests {
    use super::Status;

    #[test]
    fn only_zero_is_success() {
        assert_eq!(Status::check(0), Ok(()));
        for code in 1..=12 {
            let status = Status::check(code).expect_err("only 0 is success");
            assert!(!matches!(status, Status::Unknown(_)), "{code} has a name");
        }
    }

    #[test]
    fn codes_of_the_shared_data_have_their_names() {
        assert_eq!(Status::check(1), Err(Status::NotFound));
        assert_eq!(Status::check(8), Err(Status::CasMismatch));
    }

    #[test]
    fn code_of_a_newer_host_is_kept() {
        assert_eq!(Status::check(13), Err(Status::Unknown(13)));
        assert_eq!(Status::check(u32::MAX), Err(Status::Unknown(u32::MAX)));
    }
}
