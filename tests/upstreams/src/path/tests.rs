use super::ALL;

#[track_caller]
fn check(reader: &str, path: &str, expected: Option<&[&str]>) {
    let it = ALL.iter().find(|it| it.name == reader).unwrap_or_else(|| panic!("no {reader}"));
    let read = (it.read)(path);
    assert_eq!(
        read.as_ref().map(|it| it.iter().map(String::as_str).collect::<Vec<_>>()).as_deref(),
        expected,
        "{reader}: {path}"
    );
}

#[test]
fn servers_read_paths_as_their_sources_say() {
    check("Go", "/a//b/../c", Some(&["a", "c"]));
    check("nginx", "/a/%2e%2e/b", Some(&["b"]));
    check("nginx", "/a%00", None);
    check("Apache", "/a%2fb", None);
    check("Tomcat", "/a;x/..;y/b", Some(&["b"]));
    check("Tomcat", "/a%2fb", None);
    check("Tomcat with encoded solidus", "/a%5c..%2fb", Some(&["b"]));
    check("Jetty", "/a/..%3bx/b", Some(&["b"]));
    check("Spring", "/a;x/b/", Some(&["a", "b"]));
    check("Spring with suffixes", "/a/b.json", Some(&["a", "b"]));
    check("Express", "/a/%62/", Some(&["a", "b"]));
    check("Rails", "//a/b.json", Some(&["a", "b"]));
    check("ASP.NET Core", "/a/./b%2fc/", Some(&["a", "b%2fc"]));
    check("IIS, ASP.NET", "/(S(x))/a\\b", Some(&["a", "b"]));
    check("Windows files", "/a./b ::$DATA", Some(&["a", "b"]));
    check("overlong UTF-8", "/a/%c0%ae%c0%ae/b", Some(&["b"]));
    check("a server behind a proxy that decodes", "/a/%252e%252e/b", Some(&["b"]));
    check("JAX-RS", "/a;x/%2e%2e", Some(&["a", ".."]));
}

#[test]
fn nothing_is_above_the_root() {
    for reader in ["Go", "nginx", "Tomcat", "IIS, ASP.NET"] {
        check(reader, "/../a", None);
    }
}
