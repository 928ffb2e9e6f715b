use super::super::learned::Learned;
use super::super::trie::{PathTrie, Root};
use super::super::{Batch, MarkMemory, NodeId, Scanner};
use crate::finding::Reason;
use crate::limits::LEARNED_GAPS_MAX;
use proptest::prelude::*;

/// What a scan leaves behind.
#[derive(Debug, PartialEq)]
struct Seen {
    /// Kind, place, text and whether it is an element, of each wanted value by place in the trie.
    values: Vec<(NodeId, String)>,
    duplicate_key: bool,
    reserved: Vec<String>,
}

fn wanted() -> PathTrie {
    let mut trie = PathTrie::new(Root::Event);
    for path in ["a", "b.c", "b.d.e", "list", "list.name", "eventName", "userIdentity.sessionContext", "n"] {
        trie.insert_walk(path);
        trie.insert_literal(path);
    }
    trie
}

fn seen(scanner: &Scanner, trie: &PathTrie, text: &str) -> Seen {
    let nodes = 0..trie.len() as NodeId;
    let values = nodes.flat_map(|node| {
        let of_node = scanner.spans().of(node);
        of_node
            .map(move |span| (node, format!("{:?} {} {}", span.kind, span.is_element, &text[span.inside()])))
    });
    Seen {
        values: values.collect(),
        duplicate_key: scanner.duplicate_key(),
        reserved: scanner.reserved_keys().to_vec(),
    }
}

fn by_tokens(trie: &PathTrie, line: &[u8]) -> Result<Seen, Reason> {
    let mut scanner = Scanner::default();
    let text = Scanner::text(line)?;
    scanner.scan(trie, text)?;
    Ok(seen(&scanner, trie, text))
}

/// What a scanner learns from, and what it has learned.
#[derive(Default)]
struct Reader {
    scanner: Scanner,
    learned: Learned,
}

/// Holds both ways of reading a batch against each other; says whether all walks were sure.
fn check(reader: &mut Reader, trie: &PathTrie, batch: &[u8]) -> bool {
    let Reader { scanner, learned } = reader;
    let mut lines = Batch::new(batch, MarkMemory::default());
    let mut is_sure = true;
    for line in batch.split_inclusive(|&byte| byte == b'\n') {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let expected = by_tokens(trie, line);
        let begin = lines.at;
        match (scanner.walk(learned, trie, &mut lines.marks, begin), core::str::from_utf8(line)) {
            (Some(end), Ok(text)) => {
                assert_eq!(end.line - begin, line.len(), "{text}");
                assert_eq!(Ok(seen(scanner, trie, text)), expected, "{text}");
            }
            _ => is_sure = false,
        }
        let read = scanner.next_line(learned, trie, &mut lines).unwrap();
        assert_eq!(read.bytes, line);
        assert_eq!(read.text.map(|text| seen(scanner, trie, text)), expected);
    }
    assert_eq!(scanner.next_line(learned, trie, &mut lines).map(|line| line.bytes), None);
    is_sure
}

/// An event whose values and keys lie across the borders of vectors in every way.
fn shifted(shift: usize, space: &str) -> String {
    let members = [
        format!("\"pad\":\"{}\"", "p".repeat(shift)),
        r#""eventName":"Create\"User\\""#.to_owned(),
        r#""b":{"c":[1,{"x":[]}],"d":{"e":null},"z":"},{:"}"#.to_owned(),
        r#""list":[{"name":"one","other":[{"name":0}]},"two",[{"name":true}],3.5e-7]"#.to_owned(),
        r#""userIdentity":{"sessionContext":{},"more":{"sessionContext":1}}"#.to_owned(),
        r#""tripwasm":[],"tripwasm_1":"é","b.c":"whole","eventNam":1,"eventName2":2"#.to_owned(),
        format!(
            "\"n\":-{}.5,\"a\":\"{}\",\"empty\":[[],{{}},\"\"]",
            "1".repeat(1 + shift % 7),
            "q".repeat(shift)
        ),
    ];
    let compact = format!("{{{}}}", members.join(","));
    // Spaces between tokens, never inside strings.
    let mut in_string = false;
    let mut escaped = false;
    let mut spaced = String::new();
    for c in compact.chars() {
        spaced.push(c);
        in_string ^= c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        if !in_string && matches!(c, ',' | ':' | '[' | '{') {
            spaced.push_str(space);
        }
    }
    spaced
}

#[test]
fn usual_events_are_walked_wherever_vectors_end() {
    let trie = wanted();
    let mut reader = Reader::default();
    for shift in 0..200 {
        for space in ["", " ", "   "] {
            let event = shifted(shift, space);
            assert!(check(&mut reader, &trie, event.as_bytes()), "left to the slow way: {event}");
        }
    }
}

#[test]
fn every_changed_byte_is_noticed_or_harmless() {
    let trie = wanted();
    let mut reader = Reader::default();
    for (shift, space) in [(3, ""), (41, " ")] {
        let event = shifted(shift, space).into_bytes();
        for place in 0..event.len() {
            for byte in *b"\"\\{}[]:, x0-\n\x01\x80u" {
                let mut changed = event.clone();
                changed[place] = byte;
                check(&mut reader, &trie, &changed);
                changed[place] = event[place];
                changed.insert(place, byte);
                check(&mut reader, &trie, &changed);
            }
            let mut shorter = event.clone();
            shorter.remove(place);
            check(&mut reader, &trie, &shorter);
            check(&mut reader, &trie, &event[..place]);
        }
    }
}

#[test]
fn nesting_is_bounded_alike() {
    let trie = wanted();
    let mut reader = Reader::default();
    for depth in [1020, 1022, 1023, 1024, 1025] {
        for (open, close) in [("[", "]"), ("{\"x\":", "}"), ("[{\"b\":", "}]")] {
            let event = format!("{{\"{}\":{}1{}}}", "k".repeat(60), open.repeat(depth), close.repeat(depth));
            check(&mut reader, &trie, event.as_bytes());
        }
    }
}

/// More gaps than are kept, of keys that no two events share, and usual events between them.
#[test]
fn what_was_learned_is_bounded_and_forgotten() {
    let trie = wanted();
    let mut reader = Reader::default();
    let usual = shifted(3, "");
    let unusual = |round: usize| {
        let members: Vec<String> = (0..300).map(|number| format!("\"k{round}_{number}\":\"v\"")).collect();
        format!("{{{}}}", members.join(","))
    };
    let mut counts = Vec::new();
    for round in 0..40 {
        check(&mut reader, &trie, format!("{usual}\n{}\n{usual}", unusual(round)).as_bytes());
        // Each event allows another gap.
        for _ in 0..150 {
            reader.scanner.walk(
                &mut reader.learned,
                &trie,
                &mut Batch::new(usual.as_bytes(), MarkMemory::default()).marks,
                0,
            );
        }
        assert!(check(&mut reader, &trie, usual.as_bytes()));
        counts.push(reader.learned.gaps());
    }
    assert!(counts.iter().all(|&count| count <= LEARNED_GAPS_MAX + 1), "{counts:?}");
    assert!(counts.windows(2).any(|pair| pair[1] < pair[0]), "nothing was forgotten: {counts:?}");
}

/// Events that are never alike cost no more than reading them token by token does.
#[test]
fn learning_stops_where_events_are_never_alike() {
    let trie = wanted();
    let mut reader = Reader::default();
    let event = |number: usize| {
        let members: Vec<String> = (0..20).map(|member| format!("\"k{number}_{member}\":\"v\"")).collect();
        format!("{{{}}}", members.join(","))
    };
    for number in 0..LEARNED_GAPS_MAX / 10 {
        check(&mut reader, &trie, event(number).as_bytes());
    }
    assert!(!check(&mut reader, &trie, event(LEARNED_GAPS_MAX).as_bytes()), "it was learned");
    assert!(reader.learned.gaps() <= LEARNED_GAPS_MAX + 1);
}

/// Where events end, and what stands behind them, whatever was learned before.
#[test]
fn lines_end_where_they_end() {
    let trie = wanted();
    let mut reader = Reader::default();
    let events = ["{}", "{\"a\":1}", "{\"a\":\"x\"}", "{\"a\":12}", "{\"a\":[]}", "{\"a\":1} "];
    let ends = ["", "\n", "\r\n", "\n\n", " \n", "}\n", ",\n", "1\n", "\"\n", "\u{feff}\n"];
    for _ in 0..2 {
        for event in events {
            for end in ends {
                for other in events {
                    check(&mut reader, &trie, format!("{event}{end}{other}").as_bytes());
                    check(&mut reader, &trie, format!("{event}{end}").as_bytes());
                }
            }
        }
    }
}

fn json() -> impl Strategy<Value = String> {
    let key = prop_oneof![
        Just("a"),
        Just("b"),
        Just("c"),
        Just("d"),
        Just("e"),
        Just("list"),
        Just("name"),
        Just("b.c"),
        Just("eventName"),
        Just("n"),
        Just("tripwasm"),
        Just("\\u0061"),
        Just("é"),
        Just("x\\\"y"),
    ];
    let scalar = prop_oneof![
        Just("true".to_owned()),
        Just("false".to_owned()),
        Just("null".to_owned()),
        Just("-0.5e+10".to_owned()),
        Just("12".to_owned()),
        Just("012".to_owned()),
        Just("nul".to_owned()),
        "[a-z ,:{}\\[\\]]{0,90}".prop_map(|text| format!("\"{text}\"")),
        Just("\"\\\\\"".to_owned()),
        Just("\"\\u12aF\\n\"".to_owned()),
        Just("\"\\q\"".to_owned()),
    ];
    let space = prop_oneof![8 => Just(""), 2 => Just(" "), 1 => Just("\t")];
    scalar.prop_recursive(4, 40, 6, move |inner| {
        let member = (key.clone(), space.clone(), inner.clone())
            .prop_map(|(key, space, value)| format!("\"{key}\"{space}:{space}{value}"));
        let joined = |all: Vec<String>, space: &str| all.join(&format!("{space},{space}"));
        prop_oneof![
            (prop::collection::vec(member, 0..6), space.clone())
                .prop_map(move |(all, space)| format!("{{{space}{}{space}}}", joined(all, space))),
            (prop::collection::vec(inner, 0..5), space.clone())
                .prop_map(move |(all, space)| format!("[{space}{}]", joined(all, space))),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_walk_is_right_or_silent(value in json(), pad in 0..70_usize, damage in prop::option::of((any::<prop::sample::Index>(), any::<u8>()))) {
        let mut line = format!("{{\"pad\":\"{}\",\"b\":{value},\"list\":{value},\"a\":{value}}}", "p".repeat(pad)).into_bytes();
        if let Some((place, byte)) = damage {
            let place = place.index(line.len());
            line[place] = byte;
        }
        check(&mut Reader::default(), &wanted(), &line);
    }

    /// Events of one batch, damaged or not, read with what the ones before taught.
    #[test]
    fn what_was_learned_changes_nothing(
        values in prop::collection::vec(json(), 1..8),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
    ) {
        let lines: Vec<String> =
            values.iter().map(|value| format!("{{\"b\":{value},\"eventName\":\"x\",\"list\":{value}}}")).collect();
        let mut batch = [lines.join("\n"), lines.join("\n")].join("\n").into_bytes();
        for (place, byte) in damage {
            let place = place.index(batch.len());
            batch[place] = byte;
        }
        check(&mut Reader::default(), &wanted(), &batch);
    }
}
