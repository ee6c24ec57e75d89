//! Which files may be shown as pictures.

/// The type of a picture that browsers draw and that can not carry a script, by its first bytes.
///
/// SVG is none of these: it is a document, with scripts and links.
pub fn kind_of(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_by_the_first_bytes() {
        assert_eq!(kind_of(b"\x89PNG\r\n\x1a\n\0"), Some("image/png"));
        assert_eq!(kind_of(b"GIF89a"), Some("image/gif"));
        assert_eq!(kind_of(b"\xff\xd8\xff\xe0"), Some("image/jpeg"));
        assert_eq!(kind_of(b"RIFF\0\0\0\0WEBPVP8 "), Some("image/webp"));
        for other in [
            &b""[..],
            b"GIF",
            b"<svg xmlns='http://www.w3.org/2000/svg'/>",
            b"<html>",
        ] {
            assert_eq!(kind_of(other), None);
        }
    }
}
