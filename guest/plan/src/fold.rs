//! Case folding, as patterns are written and texts are compared: Unicode simple folding, as `(?i)` of a regular
//! expression.

/// The representative of all letters that differ from `c` in case only.
pub fn fold_char(c: char) -> char {
    match c {
        'A'..='Z' => c.to_ascii_lowercase(),
        _ if c.is_ascii() => c,
        _ => fold_beyond_ascii(c),
    }
}

fn fold_beyond_ascii(c: char) -> char {
    let behind = RUNS.partition_point(|(first, ..)| *first <= u32::from(c));
    let Some(&(first, span, step, shift)) = behind.checked_sub(1).and_then(|at| RUNS.get(at)) else {
        return c;
    };
    let place = u32::from(c) - first;
    if place > u32::from(span) || place % u32::from(step) != 0 {
        return c;
    }
    u32::from(c).checked_add_signed(shift).and_then(char::from_u32).unwrap_or(c)
}

/// Letters that fold to others, in order: the first of a run, how far the last one is from it, the step from one to the
/// next, and how far each is from what it folds to. The standard library's tables say the same in ten times the room, and
/// change with it. Dotted capital and dotless small i fold to nothing else under simple folding.
#[rustfmt::skip]
static RUNS: [(u32, u16, u16, i32); 208] = [
    (0xb5, 0, 1, 775), (0xc0, 22, 1, 32), (0xd8, 6, 1, 32), (0x100, 46, 2, 1), (0x132, 4, 2, 1),
    (0x139, 14, 2, 1), (0x14a, 44, 2, 1), (0x178, 0, 1, -121), (0x179, 4, 2, 1), (0x17f, 0, 1, -268),
    (0x181, 0, 1, 210), (0x182, 2, 2, 1), (0x186, 0, 1, 206), (0x187, 0, 1, 1), (0x189, 1, 1, 205),
    (0x18b, 0, 1, 1), (0x18e, 0, 1, 79), (0x18f, 0, 1, 202), (0x190, 0, 1, 203), (0x191, 0, 1, 1),
    (0x193, 0, 1, 205), (0x194, 0, 1, 207), (0x196, 0, 1, 211), (0x197, 0, 1, 209), (0x198, 0, 1, 1),
    (0x19c, 0, 1, 211), (0x19d, 0, 1, 213), (0x19f, 0, 1, 214), (0x1a0, 4, 2, 1), (0x1a6, 0, 1, 218),
    (0x1a7, 0, 1, 1), (0x1a9, 0, 1, 218), (0x1ac, 0, 1, 1), (0x1ae, 0, 1, 218), (0x1af, 0, 1, 1),
    (0x1b1, 1, 1, 217), (0x1b3, 2, 2, 1), (0x1b7, 0, 1, 219), (0x1b8, 0, 1, 1), (0x1bc, 0, 1, 1),
    (0x1c4, 0, 1, 2), (0x1c5, 0, 1, 1), (0x1c7, 0, 1, 2), (0x1c8, 0, 1, 1), (0x1ca, 0, 1, 2),
    (0x1cb, 16, 2, 1), (0x1de, 16, 2, 1), (0x1f1, 0, 1, 2), (0x1f2, 2, 2, 1), (0x1f6, 0, 1, -97),
    (0x1f7, 0, 1, -56), (0x1f8, 38, 2, 1), (0x220, 0, 1, -130), (0x222, 16, 2, 1), (0x23a, 0, 1, 10795),
    (0x23b, 0, 1, 1), (0x23d, 0, 1, -163), (0x23e, 0, 1, 10792), (0x241, 0, 1, 1), (0x243, 0, 1, -195),
    (0x244, 0, 1, 69), (0x245, 0, 1, 71), (0x246, 8, 2, 1), (0x345, 0, 1, 116), (0x370, 2, 2, 1),
    (0x376, 0, 1, 1), (0x37f, 0, 1, 116), (0x386, 0, 1, 38), (0x388, 2, 1, 37), (0x38c, 0, 1, 64),
    (0x38e, 1, 1, 63), (0x391, 16, 1, 32), (0x3a3, 8, 1, 32), (0x3c2, 0, 1, 1), (0x3cf, 0, 1, 8),
    (0x3d0, 0, 1, -30), (0x3d1, 0, 1, -25), (0x3d5, 0, 1, -15), (0x3d6, 0, 1, -22), (0x3d8, 22, 2, 1),
    (0x3f0, 0, 1, -54), (0x3f1, 0, 1, -48), (0x3f4, 0, 1, -60), (0x3f5, 0, 1, -64), (0x3f7, 0, 1, 1),
    (0x3f9, 0, 1, -7), (0x3fa, 0, 1, 1), (0x3fd, 2, 1, -130), (0x400, 15, 1, 80), (0x410, 31, 1, 32),
    (0x460, 32, 2, 1), (0x48a, 52, 2, 1), (0x4c0, 0, 1, 15), (0x4c1, 12, 2, 1), (0x4d0, 94, 2, 1),
    (0x531, 37, 1, 48), (0x10a0, 37, 1, 7264), (0x10c7, 0, 1, 7264), (0x10cd, 0, 1, 7264),
    (0x13a0, 79, 1, 38864), (0x13f0, 5, 1, 8), (0x1c80, 0, 1, -6222), (0x1c81, 0, 1, -6221),
    (0x1c82, 0, 1, -6212), (0x1c83, 1, 1, -6210), (0x1c85, 0, 1, -6211), (0x1c86, 0, 1, -6204),
    (0x1c87, 0, 1, -6180), (0x1c88, 0, 1, 35267), (0x1c89, 0, 1, 1), (0x1c90, 42, 1, -3008),
    (0x1cbd, 2, 1, -3008), (0x1e00, 148, 2, 1), (0x1e9b, 0, 1, -58), (0x1e9e, 0, 1, -7615),
    (0x1ea0, 94, 2, 1), (0x1f08, 7, 1, -8), (0x1f18, 5, 1, -8), (0x1f28, 7, 1, -8), (0x1f38, 7, 1, -8),
    (0x1f48, 5, 1, -8), (0x1f59, 6, 2, -8), (0x1f68, 7, 1, -8), (0x1f88, 7, 1, -8), (0x1f98, 7, 1, -8),
    (0x1fa8, 7, 1, -8), (0x1fb8, 1, 1, -8), (0x1fba, 1, 1, -74), (0x1fbc, 0, 1, -9), (0x1fbe, 0, 1, -7173),
    (0x1fc8, 3, 1, -86), (0x1fcc, 0, 1, -9), (0x1fd3, 0, 1, -7235), (0x1fd8, 1, 1, -8),
    (0x1fda, 1, 1, -100), (0x1fe3, 0, 1, -7219), (0x1fe8, 1, 1, -8), (0x1fea, 1, 1, -112),
    (0x1fec, 0, 1, -7), (0x1ff8, 1, 1, -128), (0x1ffa, 1, 1, -126), (0x1ffc, 0, 1, -9),
    (0x2126, 0, 1, -7517), (0x212a, 0, 1, -8383), (0x212b, 0, 1, -8262), (0x2132, 0, 1, 28),
    (0x2160, 15, 1, 16), (0x2183, 0, 1, 1), (0x24b6, 25, 1, 26), (0x2c00, 47, 1, 48), (0x2c60, 0, 1, 1),
    (0x2c62, 0, 1, -10743), (0x2c63, 0, 1, -3814), (0x2c64, 0, 1, -10727), (0x2c67, 4, 2, 1),
    (0x2c6d, 0, 1, -10780), (0x2c6e, 0, 1, -10749), (0x2c6f, 0, 1, -10783), (0x2c70, 0, 1, -10782),
    (0x2c72, 0, 1, 1), (0x2c75, 0, 1, 1), (0x2c7e, 1, 1, -10815), (0x2c80, 98, 2, 1), (0x2ceb, 2, 2, 1),
    (0x2cf2, 0, 1, 1), (0xa640, 44, 2, 1), (0xa680, 26, 2, 1), (0xa722, 12, 2, 1), (0xa732, 60, 2, 1),
    (0xa779, 2, 2, 1), (0xa77d, 0, 1, -35332), (0xa77e, 8, 2, 1), (0xa78b, 0, 1, 1), (0xa78d, 0, 1, -42280),
    (0xa790, 2, 2, 1), (0xa796, 18, 2, 1), (0xa7aa, 0, 1, -42308), (0xa7ab, 0, 1, -42319),
    (0xa7ac, 0, 1, -42315), (0xa7ad, 0, 1, -42305), (0xa7ae, 0, 1, -42308), (0xa7b0, 0, 1, -42258),
    (0xa7b1, 0, 1, -42282), (0xa7b2, 0, 1, -42261), (0xa7b3, 0, 1, 928), (0xa7b4, 14, 2, 1),
    (0xa7c4, 0, 1, -48), (0xa7c5, 0, 1, -42307), (0xa7c6, 0, 1, -35384), (0xa7c7, 2, 2, 1),
    (0xa7cb, 0, 1, -42343), (0xa7cc, 14, 2, 1), (0xa7dc, 0, 1, -42561), (0xa7f5, 0, 1, 1),
    (0xfb05, 0, 1, 1), (0xff21, 25, 1, 32), (0x10400, 39, 1, 40), (0x104b0, 35, 1, 40),
    (0x10570, 10, 1, 39), (0x1057c, 14, 1, 39), (0x1058c, 6, 1, 39), (0x10594, 1, 1, 39),
    (0x10c80, 50, 1, 64), (0x10d50, 21, 1, 32), (0x118a0, 31, 1, 32), (0x16e40, 31, 1, 32),
    (0x16ea0, 24, 1, 27), (0x1e900, 33, 1, 34),
];

#[cfg(test)]
mod tests {
    use super::fold_char;
    use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange};

    #[test]
    fn folding_agrees_with_regular_expressions_on_every_character() {
        for c in '\0'..=char::MAX {
            let mut class = ClassUnicode::new([ClassUnicodeRange::new(c, c)]);
            class.try_case_fold_simple().unwrap();
            for range in class.ranges() {
                for other in range.start()..=range.end() {
                    assert_eq!(fold_char(c), fold_char(other), "{c:?} {other:?}");
                }
            }
            let folded = fold_char(c);
            let in_class = class.ranges().iter().any(|range| (range.start()..=range.end()).contains(&folded));
            // The table may know letters of a later Unicode version.
            let is_known = class.ranges().iter().map(|range| range.len()).sum::<usize>() > 1;
            assert!(in_class || !is_known, "{c:?} folds to {folded:?}, which is another letter");
        }
    }
}
