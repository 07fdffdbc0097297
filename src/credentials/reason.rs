//! Why a credential is refused, as one word: for metrics, the access log and the debug log, never for the client.
//!
//! The words are stable and few, so that each may be a label of a metric. None holds a value of a token.

/// One word for each kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Not three segments of canonical base64url with strict JSON, or an unacceptable header parameter.
    Syntax,
    /// Longer than the cap.
    TooLong,
    /// `typ` is not that of an access token, or not one of the issuer's `types`.
    Type,
    /// `alg` is missing, unsupported, or not that of the key.
    Algorithm,
    /// `kid` names no key, or is none.
    Kid,
    /// The signature is not that of the key.
    Signature,
    /// `iss` is missing, or names no issuer of the route.
    Issuer,
    /// `aud` is missing, or names no accepted audience.
    Audience,
    /// Valid once.
    Expired,
    /// Valid later.
    NotBefore,
    /// Valid for longer than the issuer may grant, or nothing tells for how long.
    Lifetime,
    /// Bound to a key or a certificate that the client did not prove to have.
    Bound,
    /// A logout token.
    Logout,
    /// Revoked.
    Revoked,
    /// No JWT of a known issuer, and on no list.
    Unlisted,
    /// The claim that names the client.
    Client,
    /// The claim that names the tier.
    Tier,
    /// The claim that lists schools, or a school that the issuer may not grant.
    Schools,
    /// The claim that lists districts.
    Districts,
    /// The claim that lists permissions.
    Permissions,
    /// The claim that says which schools belong to which district.
    DistrictSchools,
    /// The claim that is the token's id.
    Id,
    /// One of `required_claims`.
    Required,
    /// `exp` is no date.
    Exp,
    /// `nbf` is no date.
    Nbf,
    /// `iat` is no date.
    Iat,
    /// `sub`.
    Sub,
    /// `jti`.
    Jti,
    /// One of `forward.claims`.
    Forwarded,
}

impl Reason {
    /// All of them, in the order of [`Reason::index`].
    pub const ALL: [Self; 29] = [
        Self::Syntax,
        Self::TooLong,
        Self::Type,
        Self::Algorithm,
        Self::Kid,
        Self::Signature,
        Self::Issuer,
        Self::Audience,
        Self::Expired,
        Self::NotBefore,
        Self::Lifetime,
        Self::Bound,
        Self::Logout,
        Self::Revoked,
        Self::Unlisted,
        Self::Client,
        Self::Tier,
        Self::Schools,
        Self::Districts,
        Self::Permissions,
        Self::DistrictSchools,
        Self::Id,
        Self::Required,
        Self::Exp,
        Self::Nbf,
        Self::Iat,
        Self::Sub,
        Self::Jti,
        Self::Forwarded,
    ];

    /// A small number for tables.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Syntax => "syntax",
            Self::TooLong => "too-long",
            Self::Type => "type",
            Self::Algorithm => "algorithm",
            Self::Kid => "kid",
            Self::Signature => "signature",
            Self::Issuer => "issuer",
            Self::Audience => "audience",
            Self::Expired => "expired",
            Self::NotBefore => "not-before",
            Self::Lifetime => "lifetime",
            Self::Bound => "bound",
            Self::Logout => "logout",
            Self::Revoked => "revoked",
            Self::Unlisted => "unlisted",
            Self::Client => "claim:client",
            Self::Tier => "claim:tier",
            Self::Schools => "claim:schools",
            Self::Districts => "claim:districts",
            Self::Permissions => "claim:permissions",
            Self::DistrictSchools => "claim:district-schools",
            Self::Id => "claim:id",
            Self::Required => "claim:required",
            Self::Exp => "claim:exp",
            Self::Nbf => "claim:nbf",
            Self::Iat => "claim:iat",
            Self::Sub => "claim:sub",
            Self::Jti => "claim:jti",
            Self::Forwarded => "claim:forwarded",
        }
    }

    /// Whether such a credential may be a guess, which costs the address that it came from. A token that a known key has signed
    /// or a list has named is no guess: its client makes a mistake, and must not shut out its neighbours. A token that is too
    /// long is no guess either, nothing of it is read, nor one of another type, which no signature makes good.
    pub const fn is_guess(self) -> bool {
        matches!(
            self,
            Self::Syntax
                | Self::Algorithm
                | Self::Kid
                | Self::Signature
                | Self::Issuer
                | Self::Unlisted
                | Self::Exp
                | Self::Nbf
                | Self::Iat
        )
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::Reason;

    #[test]
    fn each_reason_has_an_index_and_a_word_of_its_own() {
        for (at, reason) in Reason::ALL.iter().enumerate() {
            assert_eq!(reason.index(), at, "{}", reason.name());
        }
        let words: BTreeSet<&str> = Reason::ALL.iter().map(|reason| reason.name()).collect();
        assert_eq!(words.len(), Reason::ALL.len());
        let is_word = |word: &str| word.bytes().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'-' | b':'));
        assert!(words.iter().all(|word| is_word(word)), "{words:?}");
    }

    #[test]
    fn only_what_no_key_has_signed_is_a_guess() {
        let guesses: Vec<&str> = Reason::ALL.iter().filter(|it| it.is_guess()).map(|it| it.name()).collect();
        // A date that is none is found before the signature is checked.
        let expected =
            ["syntax", "algorithm", "kid", "signature", "issuer", "unlisted", "claim:exp", "claim:nbf", "claim:iat"];
        assert_eq!(guesses, expected);
    }
}
