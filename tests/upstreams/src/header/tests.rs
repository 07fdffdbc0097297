use super::ALL;

#[test]
fn servers_fold_names_as_their_sources_say() {
    let headers: [(&[u8], &[u8]); 5] =
        [(b"X-A-B", b"1"), (b"x_a_b", b"2"), (b"x.a.b", b"3"), (b"x~a~b", b"4"), (b"x-a-b x", b"5")];
    let read = |name: &str| {
        let reader = ALL.iter().find(|it| it.name == name).unwrap_or_else(|| panic!("no {name}"));
        reader.values(&headers, "x-a-b").concat()
    };
    assert_eq!(read("RFC 9110"), b"1");
    assert_eq!(read("CGI, WSGI, Rack, nginx variables"), b"12");
    assert_eq!(read("PHP"), b"123");
    assert_eq!(read("Apache before 2.4"), b"1234");
    assert_eq!(read("names up to NUL or space"), b"15");
}
