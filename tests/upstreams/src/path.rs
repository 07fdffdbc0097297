//! Paths: the segments that a server routes by, decoded.

use crate::escape::{decode, decode_overlong, decode_strictly};

#[cfg(test)]
mod tests;

/// How one family of servers reads a path.
#[derive(Clone, Copy, Debug)]
pub struct Reader {
    /// Who reads so.
    pub name: &'static str,
    /// Whether routes match in any case.
    pub ignores_case: bool,
    /// The segments of a path without its query, as routes see them; `None`: the server refuses the path.
    pub read: fn(path: &str) -> Option<Vec<String>>,
}

/// All of them.
pub const ALL: [Reader; 18] = [
    Reader { name: "JAX-RS", ignores_case: false, read: jax_rs },
    Reader { name: "Go", ignores_case: false, read: go },
    Reader { name: "nginx", ignores_case: false, read: nginx },
    Reader { name: "Apache", ignores_case: false, read: apache },
    Reader { name: "Tomcat", ignores_case: false, read: tomcat },
    Reader { name: "Tomcat with encoded solidus", ignores_case: false, read: tomcat_with_solidus },
    Reader { name: "Jetty", ignores_case: false, read: jetty },
    Reader { name: "Spring", ignores_case: false, read: spring },
    Reader { name: "Spring with suffixes", ignores_case: false, read: spring_with_suffixes },
    Reader { name: "Express", ignores_case: true, read: express },
    Reader { name: "PHP behind nginx: Symfony, Laravel", ignores_case: false, read: behind_script },
    Reader { name: "Rails", ignores_case: false, read: rails },
    Reader { name: "ASP.NET Core", ignores_case: true, read: aspnet_core },
    Reader { name: "IIS, ASP.NET", ignores_case: true, read: iis },
    Reader { name: "Windows files", ignores_case: true, read: windows },
    Reader { name: "overlong UTF-8", ignores_case: false, read: overlong },
    Reader { name: "a server behind a proxy that decodes", ignores_case: false, read: twice },
    Reader { name: "a server behind nginx with `proxy_pass` to `$uri`", ignores_case: false, read: behind_uri },
];

fn split(path: &str) -> Vec<String> {
    path.strip_prefix('/').unwrap_or(path).split('/').map(str::to_owned).collect()
}

/// Empty segments but the last go, dot segments are resolved; above the root there is nothing.
fn resolve(path: &str) -> Option<Vec<String>> {
    let segments = split(path);
    let mut kept: Vec<String> = Vec::new();
    for (at, segment) in segments.iter().enumerate() {
        let is_last = at + 1 == segments.len();
        match segment.as_str() {
            ".." => {
                kept.pop()?;
                if is_last {
                    kept.push(String::new());
                }
            }
            "" | "." if is_last => kept.push(String::new()),
            "" | "." => {}
            name => kept.push(name.to_owned()),
        }
    }
    Some(kept)
}

/// Without `;` and what follows it, segment by segment.
fn cut_parameters(path: &str) -> String {
    let cut = |segment: &str| segment.split(';').next().unwrap_or_default().to_owned();
    path.split('/').map(cut).collect::<Vec<_>>().join("/")
}

/// JAX-RS 2 section 3.7.3: segments first, then each is decoded; nothing is resolved.
fn jax_rs(path: &str) -> Option<Vec<String>> {
    Some(split(&cut_parameters(path)).iter().map(|segment| decode(segment)).collect())
}

/// `http.ServeMux`: `URL.Path` is decoded once; dots and double slashes are cleaned by a redirect.
fn go(path: &str) -> Option<Vec<String>> {
    resolve(&decode_strictly(path)?)
}

/// `ngx_http_parse_complex_uri` with `merge_slashes`: decodes, then resolves.
fn nginx(path: &str) -> Option<Vec<String>> {
    let path = decode_strictly(path)?;
    if path.contains('\0') { None } else { resolve(&path) }
}

/// `ap_unescape_url` with `AllowEncodedSlashes Off`, then `ap_getparents` and `ap_no2slash`.
fn apache(path: &str) -> Option<Vec<String>> {
    let path = decode_strictly(path).filter(|_| !path.to_ascii_lowercase().contains("%2f"))?;
    resolve(&path)
}

/// `CoyoteAdapter.postParseRequest`: path parameters go before decoding; `normalize` takes `\` for `/`.
fn tomcat(path: &str) -> Option<Vec<String>> {
    if path.to_ascii_lowercase().contains("%2f") { None } else { tomcat_with_solidus(path) }
}

/// `encodedSolidusHandling="decode"`.
fn tomcat_with_solidus(path: &str) -> Option<Vec<String>> {
    let path = decode_strictly(&cut_parameters(path))?.replace('\\', "/");
    if path.contains('\0') { None } else { resolve(&path) }
}

/// `URIUtil.canonicalPath` after `decodePath`, which cuts parameters as it decodes; encoded ones as well in the older.
fn jetty(path: &str) -> Option<Vec<String>> {
    resolve(&cut_parameters(&decode_strictly(path)?))
}

/// `UrlPathHelper.decodeAndCleanUriString`: cuts at `;`, decodes, merges slashes; the final slash is optional.
fn spring(path: &str) -> Option<Vec<String>> {
    let mut segments = resolve(&decode(&cut_parameters(path)))?;
    if segments.len() > 1 && segments.last().is_some_and(String::is_empty) {
        segments.pop();
    }
    Some(segments)
}

/// `useSuffixPatternMatch`, the default up to Spring 5.2: `/a.json` is `/a`.
fn spring_with_suffixes(path: &str) -> Option<Vec<String>> {
    let mut segments = spring(path)?;
    if let Some(last) = segments.last_mut()
        && let Some(at) = last.rfind('.').filter(|at| *at > 0)
    {
        last.truncate(at);
    }
    Some(segments)
}

/// `path-to-regexp` with `decodeURIComponent` per parameter; the final slash is optional.
fn express(path: &str) -> Option<Vec<String>> {
    let mut segments = split(path);
    if segments.len() > 1 && segments.last().is_some_and(String::is_empty) {
        segments.pop();
    }
    segments.iter().map(|segment| decode_strictly(segment)).collect()
}

/// `fastcgi_split_path_info ^(.+?\.php)(/.*)$`; `Request::prepareBaseUrl` then takes the script off the path.
fn behind_script(path: &str) -> Option<Vec<String>> {
    let mut segments = nginx(path)?;
    let script = segments.iter().position(|it| it.strip_suffix(".php").is_some());
    if let Some(at) = script.filter(|at| at + 1 < segments.len()) {
        segments.remove(at);
    }
    Some(segments)
}

/// `ActionDispatch::Journey`: slashes are squeezed, the final one goes, `(.:format)` takes a suffix without dots.
fn rails(path: &str) -> Option<Vec<String>> {
    let mut segments: Vec<String> = split(path).into_iter().filter(|it| !it.is_empty()).collect();
    if let Some(last) = segments.last_mut()
        && let Some((id, format)) = last.clone().split_once('.')
        && !id.is_empty()
        && !format.is_empty()
        && !format.contains('.')
    {
        id.clone_into(last);
    }
    Some(segments.iter().map(|segment| decode(segment)).collect())
}

/// Kestrel decodes all but `%2F` and resolves dots; routing ignores case and the final slash.
fn aspnet_core(path: &str) -> Option<Vec<String>> {
    let kept = path.replace("%2f", "%252f").replace("%2F", "%252F");
    let mut segments = resolve(&decode(&kept))?;
    if segments.last().is_some_and(String::is_empty) {
        segments.pop();
    }
    Some(segments)
}

/// `http.sys` decodes, takes `\` for `/` and resolves; ASP.NET takes cookieless sessions, `(S(x))`, out of the path.
fn iis(path: &str) -> Option<Vec<String>> {
    let segments = resolve(&decode(path).replace('\\', "/"))?;
    Some(segments.into_iter().filter(|it| !is_cookieless(it)).collect())
}

/// `CookielessHelper`: `(A(...)S(...)F(...))`.
fn is_cookieless(segment: &str) -> bool {
    let inner = segment.strip_prefix('(').and_then(|it| it.strip_suffix("))"));
    inner.is_some_and(|it| it.as_bytes().first().is_some_and(u8::is_ascii_alphabetic) && it[1..].starts_with('('))
}

/// Final dots and spaces of a name are no part of it, nor are streams.
fn windows(path: &str) -> Option<Vec<String>> {
    let mut segments = iis(path)?;
    if let Some(last) = segments.last_mut() {
        *last = last.split(':').next().unwrap_or_default().to_owned();
    }
    Some(segments.iter().map(|it| it.trim_end_matches(['.', ' ']).to_owned()).collect())
}

/// IIS 4, old CGI programs.
fn overlong(path: &str) -> Option<Vec<String>> {
    resolve(&decode_overlong(path).replace('\\', "/"))
}

/// Decodes what was decoded and resolved.
fn twice(path: &str) -> Option<Vec<String>> {
    let once = format!("/{}", tomcat_with_solidus(path)?.join("/"));
    tomcat_with_solidus(&once)
}

/// What nginx has decoded ends at a `?` or `#` for the next server.
fn behind_uri(path: &str) -> Option<Vec<String>> {
    let decoded = format!("/{}", nginx(path)?.join("/"));
    nginx(decoded.split(['?', '#']).next().unwrap_or_default())
}
