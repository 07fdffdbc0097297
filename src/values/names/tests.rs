use super::Names;

#[test]
fn names_count_up_and_keep_their_position() {
    let mut names = Names::default();
    let added = ["b", "a", "b", "", "A", "a"].map(|name| names.add(name));
    assert_eq!(added, [None, None, Some(0), None, None, Some(1)]);
    let found = ["a", "b", "", "A", "B", "ab"].map(|name| names.position(name));
    assert_eq!(found, [Some(1), Some(0), Some(2), Some(3), None, None]);
}
