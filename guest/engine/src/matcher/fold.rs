//! Folding of whole texts.

use tripwasm_plan::fold_char;

/// Puts the folded text into `out`.
pub(super) fn fold_into(text: &str, out: &mut String) {
    out.clear();
    if text.is_ascii() {
        out.push_str(text);
        out.make_ascii_lowercase();
    } else {
        out.extend(text.chars().map(fold_char));
    }
}
