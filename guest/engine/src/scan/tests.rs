use super::*;

fn trie(paths: &[&str]) -> (PathTrie, Vec<(NodeId, NodeId)>) {
    let mut trie = PathTrie::new(Root::Event);
    let nodes = paths.iter().map(|path| (trie.insert_walk(path), trie.insert_literal(path))).collect();
    (trie, nodes)
}

fn texts(scanner: &Scanner, node: NodeId, line: &str) -> Vec<String> {
    scanner.spans().of(node).map(|span| line[span.inside()].to_owned()).collect()
}

#[test]
fn wanted_values_are_found_in_order() {
    let (trie, nodes) = trie(&["a.b", "c", "d"]);
    let line = r#" {"x":{"a":{"b":9}},"a":[{"b":1},[{"b":[2,"z"]}]],"c" : null ,"d":{"e":[]},"q":[[]]} "#;
    let mut scanner = Scanner::default();
    scanner.scan(&trie, line).unwrap();
    assert_eq!(texts(&scanner, nodes[0].0, line), ["1", "[2,\"z\"]", "2", "z"]);
    assert_eq!(texts(&scanner, nodes[1].0, line), ["null"]);
    assert_eq!(texts(&scanner, nodes[2].0, line), ["{\"e\":[]}"]);
    scanner.scan(&trie, r#"{"c":"\u0041"}"#).unwrap();
    assert!(!scanner.spans().is_present(nodes[0].0), "an event leaves nothing behind");
    assert!(scanner.spans().is_present(nodes[1].0));
}

#[test]
fn the_last_of_two_equal_keys_wins() {
    let (trie, nodes) = trie(&["a.b", "c"]);
    let line = r#"{"a":{"b":1,"b":2},"c":1,"a":{"x":1,"\u0062":[3]},"z":1,"z":2}"#;
    let mut scanner = Scanner::default();
    scanner.scan(&trie, line).unwrap();
    assert!(scanner.duplicate_key());
    assert_eq!(texts(&scanner, nodes[0].0, line), ["[3]", "3"]);
    assert_eq!(texts(&scanner, nodes[1].0, line), ["1"]);
    let line = r#"{"a":null,"c":"X","a":null,"c":null}"#;
    scanner.scan(&trie, line).unwrap();
    assert_eq!(texts(&scanner, nodes[1].0, line), ["null"], "behind another doubled key");
    scanner.scan(&trie, r#"{"a":[{"b":1},{"b":2}],"z":1,"z":2}"#).unwrap();
    assert!(!scanner.duplicate_key(), "two objects, and a key that nobody reads");
}

#[test]
fn what_is_not_an_event_says_why() {
    let (trie, _) = trie(&["a"]);
    let mut scanner = Scanner::default();
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let cases: &[(&str, Result<(), Reason>)] = &[
        ("{}", Ok(())),
        ("{\"a\":-0.5e+3}", Ok(())),
        ("\u{feff}{\"a\":1}", Ok(())),
        ("{\"a\":\"\\ud800\"}", Ok(())),
        ("", Err(Reason::Empty)),
        (" \t\r", Err(Reason::Empty)),
        ("[{\"a\":1}]", Err(Reason::NotAnObject)),
        ("1", Err(Reason::NotAnObject)),
        ("{\"a\":1", Err(Reason::Malformed)),
        ("{\"a\":1]", Err(Reason::Malformed)),
        ("{\"a\":1}}", Err(Reason::Malformed)),
        ("{\"a\":1,}", Err(Reason::Malformed)),
        ("{\"a\" 1}", Err(Reason::Malformed)),
        ("{\"a\":01}", Err(Reason::Malformed)),
        ("{\"a\":1.}", Err(Reason::Malformed)),
        ("{\"a\":+1}", Err(Reason::Malformed)),
        ("{\"a\":tru}", Err(Reason::Malformed)),
        ("{\"a\":\"\u{1}\"}", Err(Reason::Malformed)),
        ("{\"a\":\"\\x\"}", Err(Reason::Malformed)),
        ("{\"a\":\"\\u12g4\"}", Err(Reason::Malformed)),
        ("{a:1}", Err(Reason::Malformed)),
        ("{\"a\":[1,]}", Err(Reason::Malformed)),
        ("{} {}", Err(Reason::Malformed)),
        (&deep, Err(Reason::TooDeep)),
    ];
    for (line, expected) in cases {
        let got = Scanner::text(line.as_bytes()).and_then(|text| scanner.scan(&trie, text));
        assert_eq!(got, *expected, "{}", line.chars().take(40).collect::<String>());
    }
    assert_eq!(Scanner::text(b"{\"a\":\"\xff\"}"), Err(Reason::NotUtf8));
}

#[test]
fn containers_have_a_compact_text() {
    assert_eq!(compact(r#"{ "a" : [ 1 , "x y\u0022\/\u0001" ] }"#), r#"{"a":[1,"x y\"/\u0001"]}"#);
}
