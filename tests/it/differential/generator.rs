//! Tokens, good ones and every kind of slightly wrong ones, from a seed.
//!
//! A token is made from members of raw JSON, so that what no serializer writes (doubled members, escapes, broken numbers) is
//! there too, then signed, then damaged as text. About a quarter is left as it is.

use hallpass::credentials::jwt::jose::Alg;
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;

use crate::support::policy::ISSUER;
use crate::vectors::signer::Signer;
use crate::vectors::{ALGS, b64, unb64};

/// The `kid` of a second RS256 key: a token without `kid` may then be either's.
pub const SECOND_RS256: &str = "RS256-2";

/// A token, and what was done to it.
#[derive(Clone, Debug)]
pub struct Made {
    pub text: String,
    pub alg: Alg,
    pub changes: Vec<String>,
}

type Member = (String, String);

/// A token before it is signed.
struct Draft {
    header: Vec<Member>,
    payload: Vec<Member>,
    /// Bytes before and behind each of the two.
    around: [[&'static str; 2]; 2],
    /// Whether the payload is a list of its members' values.
    is_array: bool,
    signer: Signer,
}

/// What may be written for the value of a header parameter.
const HEADER_VALUES: &[(&str, &str)] = &[
    ("alg", r#""none""#),
    ("alg", r#""None""#),
    ("alg", r#""HS256""#),
    ("alg", r#""RS256""#),
    ("alg", r#""ES256""#),
    ("alg", r#""rs256""#),
    ("alg", r#""RS\u003256""#),
    ("alg", "null"),
    ("alg", "256"),
    ("alg", r#"["RS256"]"#),
    ("kid", r#""unknown""#),
    ("kid", r#""RS256""#),
    ("kid", r#""ES256""#),
    ("kid", r#""RS\u003256""#),
    ("kid", r#""../../../etc/passwd""#),
    ("kid", r#""' OR 1=1 --""#),
    ("kid", r#""a\u0000""#),
    ("kid", r#""""#),
    ("kid", "null"),
    ("kid", "1"),
    ("kid", "{}"),
    ("typ", r#""JWT""#),
    ("typ", r#""jwt""#),
    ("typ", r#""at+jwt""#),
    ("typ", r#""application/at+jwt""#),
    ("typ", r#""JOSE""#),
    ("typ", "null"),
    ("typ", "1"),
    ("cty", r#""JWT""#),
    ("cty", "1"),
    ("crit", r#"["exp"]"#),
    ("crit", "[]"),
    ("crit", r#"["b64"]"#),
    ("b64", "true"),
    ("b64", "false"),
    ("jku", r#""https://evil.test/keys""#),
    ("x5u", r#""https://evil.test/cert""#),
    ("x5c", r#"["MII="]"#),
    ("x5t", r#""AAAA""#),
    ("jwk", r#"{"kty":"oct","k":"AAAA"}"#),
    ("zip", r#""DEF""#),
    ("nonce", r#""n""#),
    ("x", r#"{"a":[1,2,{"b":null}]}"#),
    ("x", "1e999"),
    ("x", r#""\ud800""#),
];

/// What may be written for the value of a claim; `NOW+n` and `NOW-n` are times.
const CLAIM_VALUES: &[(&str, &str)] = &[
    ("exp", "NOW-100"),
    ("exp", "NOW+90000"),
    ("exp", "NOW+90000.5"),
    ("exp", "NOW-100.5"),
    ("exp", "0"),
    ("exp", "0.9"),
    ("exp", "-1"),
    ("exp", "-0"),
    ("exp", "1e300"),
    ("exp", "1e999"),
    ("exp", "2e9"),
    ("exp", "253402300799"),
    ("exp", "253402300800"),
    ("exp", "9223372036854775807"),
    ("exp", "9223372036854775808"),
    ("exp", "18446744073709551616"),
    ("exp", "null"),
    ("exp", "true"),
    ("exp", r#""NOW+90000""#),
    ("exp", "[NOW+90000]"),
    ("nbf", "NOW-100"),
    ("nbf", "NOW+90000"),
    ("nbf", "NOW-100.25"),
    ("nbf", "0"),
    ("nbf", "-9223372036854775808"),
    ("nbf", "-1"),
    ("nbf", "null"),
    ("nbf", r#""0""#),
    ("iat", "NOW-100"),
    ("iat", "NOW+90000"),
    ("iat", "0.5"),
    ("iat", "false"),
    ("iss", r#""https://auth.example.com""#),
    ("iss", r#""https://auth.example.com//""#),
    ("iss", r#""HTTPS://auth.example.com/""#),
    ("iss", r#""https:\/\/auth.example.com\/""#),
    ("iss", r#""https://auth.example.com/\u0000""#),
    ("iss", r#""https://\u0430uth.example.com/""#),
    ("iss", r#"["https://auth.example.com/"]"#),
    ("iss", "null"),
    ("iss", "1"),
    ("client_id", "null"),
    ("client_id", "1"),
    ("client_id", r#""""#),
    ("client_id", r#""a,b""#),
    ("client_id", r#""a\r\nb""#),
    ("client_id", r#""\u0061pp""#),
    ("tier", r#""premium""#),
    ("tier", r#"["standard"]"#),
    ("tier", "null"),
    ("schools", "null"),
    ("schools", r#""oakwood""#),
    ("schools", "[]"),
    ("schools", r#"["a","a"]"#),
    ("schools", r#"["a,b"]"#),
    ("schools", r#"["a",1]"#),
    ("schools", r#"["*"]"#),
    ("schools", r#"[["a"]]"#),
    ("aud", r#""https://api.example.com""#),
    ("aud", r#"["https://api.example.com",1]"#),
    ("aud", "[]"),
    ("aud", "null"),
    ("aud", "1"),
    ("sub", r#""s""#),
    ("sub", "1"),
    ("sub", "null"),
    ("jti", r#""j""#),
    ("jti", "1"),
    ("x", "[[[[[[[[[[1]]]]]]]]]]"),
    ("x", "01"),
    ("x", "1."),
    ("x", "NaN"),
    ("x", "Infinity"),
    ("x", "-"),
    ("x", "1e999"),
    ("x", "tru"),
    ("x", "'a'"),
    ("x", r#""\x41""#),
    ("x", r#""\ud800""#),
    ("x", r#""\ud83d\ude00""#),
    ("x", "\"\u{7f}\u{80}\""),
    ("x", "\"a\nb\""),
    ("x", r#"{"a":1,"a":2}"#),
    ("x", r#"{"a":1,"\u0061":2}"#),
];

/// What may stand before or behind a document.
const AROUND: [&str; 8] = [" ", "\r\n", "\t", "\u{feff}", "\0", "{}", ",", "//"];

/// A token.
pub fn make(random: &mut StdRng, now: u64) -> Made {
    let alg = *ALGS.choose(random).expect("algorithms");
    let mut draft = draft(alg, now);
    let mut changes = Vec::new();
    if random.gen_ratio(1, 4) {
        return Made { text: draft.text(), alg, changes };
    }
    for _ in 0..random.gen_range(0..3) {
        changes.push(change(random, &mut draft, now));
    }
    let mut text = draft.text();
    if changes.is_empty() || random.gen_ratio(1, 4) {
        changes.push(damage(random, &mut text, alg));
    }
    // HTTP trims a value before anyone sees it.
    Made { text: text.trim_end().to_owned(), alg, changes }
}

fn draft(alg: Alg, now: u64) -> Draft {
    let member = |name: &str, value: String| (name.to_owned(), value);
    let name = format!("\"{}\"", alg.name());
    Draft {
        header: vec![member("alg", name.clone()), member("kid", name)],
        payload: vec![
            member("iss", format!("\"{ISSUER}\"")),
            member("exp", (now + 90_000).to_string()),
            member("client_id", r#""app""#.to_owned()),
            member("tier", r#""standard""#.to_owned()),
            member("schools", r#"["oakwood-primary"]"#.to_owned()),
        ],
        around: [[""; 2]; 2],
        is_array: false,
        signer: Signer::first(alg),
    }
}

impl Draft {
    fn text(&self) -> String {
        let members = |members: &[Member]| {
            let list: Vec<String> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
            list.join(",")
        };
        let [header, payload] = &self.around;
        let header = format!("{}{{{}}}{}", header[0], members(&self.header), header[1]);
        let (open, close) = if self.is_array { ("[{", "}]") } else { ("{", "}") };
        let payload = format!("{}{open}{}{close}{}", payload[0], members(&self.payload), payload[1]);
        self.signer.token(header.as_bytes(), payload.as_bytes())
    }
}

/// Changes what is signed; says how.
fn change(random: &mut StdRng, draft: &mut Draft, now: u64) -> String {
    match random.gen_range(0..20) {
        0..6 => {
            let (name, value) = HEADER_VALUES.choose(random).expect("values");
            set(&mut draft.header, name, value);
            format!("header {name}: {value}")
        }
        6..14 => {
            let (name, value) = CLAIM_VALUES.choose(random).expect("values");
            let time = |value: &str, sign: &str, by: i64| {
                let (_, offset) = value.split_once(sign)?;
                let digits: String = offset.chars().take_while(char::is_ascii_digit).collect();
                let at = i64::try_from(now).ok()? + by * digits.parse::<i64>().ok()?;
                Some(value.replace(&format!("{sign}{digits}"), &at.to_string()))
            };
            let value =
                time(value, "NOW+", 1).or_else(|| time(value, "NOW-", -1)).unwrap_or_else(|| (*value).to_owned());
            set(&mut draft.payload, name, &value);
            format!("claim {name}: {value}")
        }
        14 => {
            let members = if random.gen_bool(0.5) { &mut draft.header } else { &mut draft.payload };
            if members.is_empty() {
                return "nothing".to_owned();
            }
            let (name, _) = members.remove(random.gen_range(0..members.len()));
            format!("without {name}")
        }
        15 => {
            let members = if random.gen_bool(0.5) { &mut draft.header } else { &mut draft.payload };
            let Some((name, value)) = members.choose(random).cloned() else { return "nothing".to_owned() };
            // As it is, or with its first letter escaped.
            let escaped = format!("\\u{:04x}{}", u32::from(name.as_bytes()[0]), &name[1..]);
            let again = if random.gen_bool(0.5) { name } else { escaped };
            members.insert(random.gen_range(0..=members.len()), (again.clone(), value));
            format!("{again} twice")
        }
        16 => {
            let members = if random.gen_bool(0.5) { &mut draft.header } else { &mut draft.payload };
            members.shuffle(random);
            "another order".to_owned()
        }
        17 => {
            let (part, side) = (random.gen_range(0..2), random.gen_range(0..2));
            draft.around[part][side] = AROUND.choose(random).expect("bytes");
            format!("{:?} around part {part}", draft.around[part][side])
        }
        18 => {
            draft.is_array = true;
            "payload in an array".to_owned()
        }
        _ => {
            draft.signer = Signer { nth: 1, ..draft.signer };
            if random.gen_bool(0.5) {
                set(&mut draft.header, "kid", &format!("\"{SECOND_RS256}\""));
            }
            "signed with the second key".to_owned()
        }
    }
}

fn set(members: &mut Vec<Member>, name: &str, value: &str) {
    match members.iter_mut().find(|(it, _)| it == name) {
        Some(member) => value.clone_into(&mut member.1),
        None => members.push((name.to_owned(), value.to_owned())),
    }
}

/// Changes a signed token; says how.
fn damage(random: &mut StdRng, text: &mut String, alg: Alg) -> String {
    const BASE64URL: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const STRANGE: [char; 13] = ['=', '+', '/', '.', ' ', '~', '"', '%', ',', '!', '?', '\u{e9}', '\u{430}'];
    let at = random.gen_range(0..text.len());
    match random.gen_range(0..9) {
        0 => {
            let other = char::from(BASE64URL[random.gen_range(0..64)]);
            text.replace_range(at..=at, &other.to_string());
            format!("{other:?} at {at}")
        }
        1 => {
            let strange = STRANGE.choose(random).expect("characters");
            text.insert(at, *strange);
            format!("{strange:?} into {at}")
        }
        2 => {
            let strange = STRANGE.choose(random).expect("characters");
            text.push(*strange);
            format!("{strange:?} at the end")
        }
        3 => {
            text.remove(at);
            format!("without what stood at {at}")
        }
        4 => {
            text.truncate(at.max(1));
            format!("cut at {at}")
        }
        5 => {
            let mut segments: Vec<&str> = text.split('.').collect();
            segments.shuffle(random);
            segments.truncate(random.gen_range(2..=3));
            let shuffled = segments.join(".");
            *text = if shuffled.is_empty() { ".".to_owned() } else { shuffled };
            "segments shuffled".to_owned()
        }
        6 => {
            // The last character of a segment holds bits that stand for nothing.
            let end = text.match_indices('.').map(|(at, _)| at).chain([text.len()]).nth(random.gen_range(0..3));
            let end = end.unwrap_or(text.len()) - 1;
            let value = BASE64URL.iter().position(|byte| *byte == text.as_bytes()[end]).unwrap_or_default();
            let other = char::from(BASE64URL[value ^ 1]);
            text.replace_range(end..=end, &other.to_string());
            format!("the last bit of what ends at {end}")
        }
        _ => damage_signature(random, text, alg),
    }
}

fn damage_signature(random: &mut StdRng, text: &mut String, alg: Alg) -> String {
    let Some((input, signature)) = text.rsplit_once('.') else { return "nothing".to_owned() };
    let mut bytes = unb64(signature);
    let what = match random.gen_range(0..7) {
        0 => {
            let bit = random.gen_range(0..bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            format!("bit {bit}")
        }
        1 => {
            bytes.truncate(random.gen_range(1..bytes.len()));
            format!("the first {} bytes", bytes.len())
        }
        2 => {
            bytes.insert(0, 0);
            "a zero before".to_owned()
        }
        3 => {
            bytes.push(0);
            "a zero behind".to_owned()
        }
        4 => {
            let half = bytes.len() / 2;
            bytes[half..].fill(0);
            "the second half zero".to_owned()
        }
        5 if alg == Alg::Es256 => {
            // The other signature of the same number: valid.
            let n = rsa::BigUint::from_bytes_be(&unb64("_____wAAAAD__________7zm-q2nF56E87nKwvxjJVE"));
            let s = (n - rsa::BigUint::from_bytes_be(&bytes[32..])).to_bytes_be();
            bytes = [&bytes[..32], &vec![0; 32 - s.len()], &s].concat();
            "n - s".to_owned()
        }
        5 | 6 if matches!(alg, Alg::Es256 | Alg::Es384) => {
            let half = bytes.len() / 2;
            let number = |bytes: &[u8]| [&[2, u8::try_from(bytes.len() + 1).unwrap(), 0], bytes].concat();
            let numbers = [number(&bytes[..half]), number(&bytes[half..])].concat();
            bytes = [&[0x30, u8::try_from(numbers.len()).unwrap()], numbers.as_slice()].concat();
            "in DER".to_owned()
        }
        _ => {
            bytes.reverse();
            "backwards".to_owned()
        }
    };
    *text = format!("{input}.{}", b64(bytes));
    format!("signature: {what}")
}
