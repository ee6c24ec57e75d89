//! Names of namespaces with a `*` in them.

/// Whether a name is of this form, where `*` stands for any text. Takes time in proportion to both lengths at most.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        return rest.is_empty();
    };
    // Whoever takes the first place for each part leaves the most to those after it.
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_is_any_text() {
        for (pattern, name, matched) in [
            ("/a", "/a", true),
            ("/a", "/ab", false),
            ("/room-*", "/room-", true),
            ("/room-*", "/room-12", true),
            ("/room-*", "/roo", false),
            ("/*/x", "/a/x", true),
            ("/*/x", "/a/x/y", false),
            ("/*/x*", "/a/x/y", true),
            ("/a*a", "/a", false),
            ("/a*b*a", "/aba", true),
            ("/a*b*a", "/abba/bca", true),
            ("/a*b*a", "/aa", false),
            ("*", "/anything", true),
            ("/\u{e4}*", "/\u{e4}\u{f6}", true),
        ] {
            assert_eq!(matches(pattern, name), matched, "{pattern} {name}");
        }
    }
}
