//! curl: what somebody sees who tries a server out by hand, and a client of HTTP that nobody here has written.

use std::fmt;
use std::fs;
use std::process::{Command, Stdio};

use crate::certificates;
use crate::directory::Files;
use crate::server::Server;
use crate::session::{POLLING, sid_of};

/// What curl has shown of a response.
pub struct Answer {
    pub status: u16,
    head: String,
    /// As curl writes it to a file: uncompressed, where it was asked to do that.
    pub body: Vec<u8>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let beginning = String::from_utf8_lossy(&self.body[..self.body.len().min(200)]);
        write!(f, "{}\n\n{beginning}", self.head)
    }
}

impl Answer {
    /// The values of a header.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(':'));
        let named = lines.filter(|(found, _)| found.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.trim()).collect()
    }

    /// The value of a header that is there once.
    #[track_caller]
    pub fn header(&self, name: &str) -> Option<&str> {
        let all = self.all(name);
        assert!(all.len() <= 1, "{name}: {all:?}");
        all.first().copied()
    }

    #[track_caller]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a body that is text")
    }

    #[track_caller]
    pub fn sid(&self) -> String {
        assert_eq!(self.status, 200, "{self:?}");
        sid_of(self.text())
    }
}

/// Runs curl to its end, and hands it a body where its arguments ask for one (`@-`).
#[track_caller]
pub fn curl_with(arguments: &[&str], body: &[u8]) -> Answer {
    use std::io::Write;

    let mut child = Command::new("curl")
        // No file of the user's, no proxy, no end of patience that is not ours.
        .args(["-q", "-sS", "-i", "--noproxy", "*", "--max-time", "30"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("please install curl: {error}"));
    let mut stdin = child.stdin.take().expect("a piped stdin");
    // Where it was refused before its end, curl reads no more of it.
    let _refused = stdin.write_all(body);
    drop(stdin);
    let output = child.wait_with_output().expect("its output");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "curl {arguments:?}: {errors}");
    // Before it sends much, it asks whether that is wanted.
    let asked = b"HTTP/1.1 100 Continue\r\n\r\n";
    let shown = output.stdout.strip_prefix(asked).unwrap_or(&output.stdout);
    let end = shown.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("no head: {:?}", String::from_utf8_lossy(shown)));
    let head = String::from_utf8_lossy(&shown[..end]).into_owned();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Answer {
        status: status.unwrap_or_else(|| panic!("no status: {head}")),
        body: shown[end + 4..].to_vec(),
        head,
    }
}

#[track_caller]
pub fn curl(arguments: &[&str]) -> Answer {
    curl_with(arguments, b"")
}

/// Something that gets shorter.
fn long_message() -> String {
    format!("4{}", "abc ".repeat(5_000))
}

#[test]
fn origins_cookies_and_compression() {
    let files = Files::new();
    let jar = files.missing();
    let server = Server::with(&["--cors", "https://a.example", "--cookie", "io"]);
    let url = format!("http://{}{POLLING}", server.address);
    let origin = ["-H", "Origin: https://a.example"];

    let preflight = curl(&[
        "-X",
        "OPTIONS",
        "-H",
        "Origin: https://a.example",
        "-H",
        "Access-Control-Request-Method: POST",
        "-H",
        "Access-Control-Request-Headers: x-custom",
        &url,
    ]);
    assert_eq!(preflight.status, 204, "{preflight:?}");
    assert_eq!(preflight.header("access-control-allow-headers"), Some("x-custom"));
    assert_eq!(
        preflight.header("access-control-allow-methods"),
        Some("GET, POST, OPTIONS")
    );
    let refused = curl(&["-H", "Origin: https://b.example", &url]);
    assert_eq!(
        (refused.status, refused.text()),
        (400, r#"{"code":3,"message":"Bad request"}"#)
    );
    assert_eq!(refused.header("access-control-allow-origin"), None);

    let opened = curl(&[&origin[..], &["-c", &jar, &url]].concat());
    let sid = opened.sid();
    assert_eq!(opened.header("access-control-allow-origin"), Some("https://a.example"));
    assert_eq!(opened.header("access-control-allow-credentials"), Some("true"));
    // Host, its subdomains, path, TLS only, until when, name, value.
    let kept = fs::read_to_string(&jar).expect("the jar");
    let line = format!("#HttpOnly_127.0.0.1\tFALSE\t/\tFALSE\t0\tio\t{sid}");
    assert!(kept.lines().any(|kept| kept == line), "{kept}");

    let url = format!("{url}&sid={sid}");
    let message = long_message();
    for (flags, coding) in [
        // It names that first.
        (&["--compressed"][..], Some("deflate")),
        (&["--compressed", "-H", "Accept-Encoding: gzip"], Some("gzip")),
        (&[], None),
    ] {
        let posted = curl_with(
            &[
                &origin[..],
                &[
                    "-b",
                    &jar,
                    "-H",
                    "Content-Type: text/plain",
                    "--data-binary",
                    "@-",
                    &url,
                ],
            ]
            .concat(),
            message.as_bytes(),
        );
        assert_eq!((posted.status, posted.text()), (200, "ok"), "{posted:?}");
        let polled = curl(&[&origin[..], &["-b", &jar], flags, &[&url]].concat());
        assert_eq!(polled.header("content-encoding"), coding, "{polled:?}");
        assert_eq!(polled.header("vary"), Some("Origin, Accept-Encoding"));
        assert!(polled.text() == message, "{polled:?}");
    }
    assert_eq!(curl(&["-d", "1", &url]).text(), "ok");
    server.finish();
}

#[test]
fn files() {
    let files = Files::new();
    let page = files.write("page.html", "<p>0123456789");
    let server = Server::with(&["--static", &format!("/={page}")]);
    let url = format!("http://{}/", server.address);
    let whole = curl(&[&url]);
    assert_eq!((whole.status, whole.text()), (200, "<p>0123456789"));
    let tag = whole.header("etag").expect("a tag").to_owned();

    let part = curl(&["-r", "3-5", &url]);
    assert_eq!((part.status, part.text()), (206, "012"));
    assert_eq!(part.header("content-range"), Some("bytes 3-5/13"));
    assert_eq!(curl(&["-r", "-2", &url]).text(), "89");
    assert_eq!(curl(&["-r", "99-", &url]).status, 416);
    // The rest of what is there in part already.
    let resumed = curl(&["-C", "10", &url]);
    assert_eq!((resumed.status, resumed.text()), (206, "789"));
    // The same only if it is the same still.
    let condition = format!("If-Range: {tag}");
    assert_eq!(curl(&["-r", "3-5", "-H", &condition, &url]).status, 206);
    assert_eq!(curl(&["-r", "3-5", "-H", "If-Range: \"other\"", &url]).status, 200);

    // Since the time of a file, or of a date.
    assert_eq!(curl(&["-z", &page, &url]).status, 304);
    assert_eq!(curl(&["-z", "2001-01-01", &url]).status, 200);
    let kept = files.write("tag", &tag);
    let unchanged = curl(&["--etag-compare", &kept, &url]);
    assert_eq!((unchanged.status, unchanged.text()), (304, ""));
    let kept = files.write("tag", "\"other\"");
    assert_eq!(curl(&["--etag-compare", &kept, &url]).status, 200);

    let head = curl(&["-I", &url]);
    assert_eq!((head.status, head.header("content-length")), (200, Some("13")));
    server.finish();
}

#[test]
fn over_tls_a_cookie_is_for_tls() {
    let files = Files::new();
    let jar = files.missing();
    let [cert, key] = files.pair("server", &certificates::self_signed(&["localhost"]));
    let mut server = Server::with(&["--tls-cert", &cert, "--tls-key", &key, "--cookie", "io"]);
    let url = format!("https://{}{POLLING}", server.address);
    // The page of the same origin is one that came over TLS.
    let origin = format!("Origin: https://{}", server.address);
    let opened = curl(&["-k", "-c", &jar, "-H", &origin, &url]);
    let sid = opened.sid();
    let cookie = format!("io={sid}; Path=/; HttpOnly; Secure; SameSite=Lax");
    assert_eq!(opened.header("set-cookie"), Some(&cookie[..]));
    let kept = fs::read_to_string(&jar).expect("the jar");
    assert!(kept.contains("#HttpOnly_127.0.0.1\tFALSE\t/\tTRUE\t0\tio\t"), "{kept}");
    let origin = format!("Origin: http://{}", server.address);
    assert_eq!(curl(&["-k", "-H", &origin, &url]).status, 400);
    let url = format!("{url}&sid={sid}");
    assert_eq!(curl(&["-k", "-b", &jar, "-d", "4hello", &url]).text(), "ok");
    let polled = curl(&["-k", "-b", &jar, "--compressed", &url]);
    assert_eq!((polled.status, polled.text()), (200, "4hello"));
    assert_eq!(curl(&["-k", "-d", "1", &url]).text(), "ok");
    server.signal("TERM");
    server.assert_exits();
}
