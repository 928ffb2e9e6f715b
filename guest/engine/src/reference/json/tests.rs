//! What is JSON, and what it says.

use super::*;

fn compact(text: &str) -> String {
    let mut out = String::new();
    parse(text).unwrap_or_else(|fault| panic!("{text}: {fault:?}")).write(&mut out);
    out
}

#[test]
fn json_is_read_and_written_compactly() {
    let cases = [
        (r#" { "a" : [ 1 , -0.50e+7 ] , "b":{} , "a":[] } "#, r#"{"a":[1,-0.50e+7],"b":{},"a":[]}"#),
        (r#""\"\\\/\b\f\n\r\t\u0041\u001F\u007f""#, "\"\\\"\\\\/\\b\\f\\n\\r\\tA\\u001f\u{7f}\""),
        (r#""\ud83d\ude00 é""#, "\"😀 é\""),
        (r#""\ud800""#, "\"\u{fffd}\""),
        (r#""\udc00\ud800x""#, "\"\u{fffd}\u{fffd}x\""),
        (r#""\ud800\ud83d\ude00""#, "\"\u{fffd}😀\""),
        (r#""\ud800\u0041""#, "\"\u{fffd}A\""),
        ("[true,false,null]", "[true,false,null]"),
    ];
    for (text, expected) in cases {
        assert_eq!(compact(text), expected, "of {text}");
    }
}

#[test]
fn what_is_no_json_is_refused() {
    let cases = [
        "",
        "{",
        "}",
        "[1,]",
        "[,1]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "[1 2]",
        "01",
        "1.",
        ".5",
        "-",
        "+1",
        "1e",
        "0x1",
        "NaN",
        "tru",
        "truex",
        "'a'",
        "\"a",
        "\"\t\"",
        r#""\x""#,
        r#""\u12""#,
        r#""\u12g4""#,
        r#""\u+123""#,
        r#""\ud800\u""#,
        "{} {}",
        "[]]",
        "\u{feff}{}",
        "// x\n{}",
        "\u{a0}1",
    ];
    for text in cases {
        assert_eq!(parse(text), Err(Fault::Malformed), "of {text:?}");
    }
}

#[test]
fn nesting_is_bounded_and_what_comes_first_counts() {
    let nested = |depth: usize, end: &str| format!("{}{end}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(parse(&nested(NESTING_DEPTH_MAX, "1")).is_ok());
    assert_eq!(parse(&nested(NESTING_DEPTH_MAX + 1, "x")), Err(Fault::TooDeep));
    assert_eq!(parse(&nested(NESTING_DEPTH_MAX, "x")), Err(Fault::Malformed));
    assert_eq!(parse(&format!("[x,{}", "[".repeat(9999))), Err(Fault::Malformed));
}

#[test]
fn of_members_with_one_key_the_last_counts() {
    let event = parse(r#"{"a":1,"\u0061":2,"b":3}"#).unwrap();
    assert_eq!(event.member("a"), Some(&Json::Number("2".into())));
    assert_eq!(event.member("c"), None);
}
