//! What people call things: themselves, their room, a file.

/// The text as others would see it: spaces only between words, and nothing that can not be seen, with which one name
/// could be made to look like another, or turn around the line that it stands in.
///
/// `None` where nothing is left, or more than `most` characters.
pub fn label(text: &str, most: usize) -> Option<String> {
    // Nobody types that much; what comes is not looked through to its end for nothing.
    if text.len() > most * 16 {
        return None;
    }
    let seen = visible(text);
    (1..=most).contains(&seen.chars().count()).then_some(seen)
}

/// The same, where what is too long is cut in its middle: the end of a file's name tells what it is.
pub fn shortened(text: &str, most: usize) -> Option<String> {
    let seen: Vec<char> = visible(text).chars().collect();
    if seen.is_empty() {
        return None;
    }
    if seen.len() <= most {
        return Some(seen.into_iter().collect());
    }
    let (start, end) = (most - most / 3 - 1, most / 3);
    let kept = seen[..start].iter().chain(&['…']).chain(&seen[seen.len() - end..]);
    Some(kept.collect())
}

fn visible(text: &str) -> String {
    let mut seen = String::new();
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()) {
        let kept = seen.len();
        if kept > 0 {
            seen.push(' ');
        }
        let start = seen.len();
        seen.extend(word.chars().filter(|c| !is_invisible(*c)));
        if seen.len() == start {
            seen.truncate(kept);
        }
    }
    seen
}

/// What takes no room on the line, or only empty room, in every font.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_seen_counts() {
        assert_eq!(label("  Ann   Lee\t", 24).as_deref(), Some("Ann Lee"));
        assert_eq!(label("A\u{200b}nn\u{202e}", 24).as_deref(), Some("Ann"));
        assert_eq!(label("Ann \u{2060} Lee", 24).as_deref(), Some("Ann Lee"));
        assert_eq!(label("कृष्ण", 24).as_deref(), Some("कृष्ण"));
        assert_eq!(label("ééé", 3).as_deref(), Some("ééé"));
        for nothing in ["", "  \n", "\u{200b}", "\u{3164}", "12345"] {
            assert_eq!(label(nothing, 4), None, "{nothing:?}");
        }
        assert_eq!(label(&" ".repeat(1_000_000), 24), None);
    }

    #[test]
    fn the_end_of_a_long_name_is_kept() {
        assert_eq!(shortened("short.txt", 12).as_deref(), Some("short.txt"));
        assert_eq!(shortened("a very long name.txt", 12).as_deref(), Some("a very ….txt"));
        assert_eq!(shortened("\u{feff}", 12), None);
    }
}
