use core::net::IpAddr;
use core::time::Duration;

use sansocket::engineio::Sid;
use sansocket::http::{
    Coding, Compression, Cookie, Cors, CorsAnswer, Endpoint, RequestView, Route, Terms, TrustedProxies, jsonp,
};

/// A request as text: method and target, then a header on each line.
pub struct Written<'a> {
    pub method: &'a str,
    pub target: &'a str,
    pub headers: Vec<(&'a str, &'a str)>,
}

impl<'a> Written<'a> {
    pub fn read(data: &'a [u8]) -> Option<Self> {
        let mut lines = core::str::from_utf8(data).ok()?.split('\n');
        let (method, target) = lines.next()?.split_once(' ')?;
        let headers = lines.filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            Some((name, value.trim()))
        });
        Some(Self {
            method,
            target,
            headers: headers.take(64).collect(),
        })
    }

    fn all(&self, name: &str) -> impl Iterator<Item = &'a str> {
        let found = self
            .headers
            .iter()
            .filter(move |header| header.0.eq_ignore_ascii_case(name));
        found.map(|header| header.1)
    }

    fn first(&self, name: &str) -> Option<&'a str> {
        self.all(name).next()
    }
}

/// What is found out about a request, whatever the options are.
pub fn request(data: &[u8]) {
    let Some(written) = Written::read(data) else { return };
    let headers = &written.headers[..];
    let peer: IpAddr = match written.first("peer").and_then(|peer| peer.parse().ok()) {
        Some(peer) => peer,
        None => [10, 0, 0, 1].into(),
    };
    let mut view = RequestView::new(written.method, written.target, &headers);
    view.peer = Some(peer);
    view.is_secure = written.first("secure").is_some();
    for proxies in [TrustedProxies::none(), TrustedProxies::any(), some_proxies()] {
        client(&written, &view, &proxies, peer);
        for cors in [Cors::same_origin(), Cors::any(), Cors::origins(["https://a.example"])] {
            let mut endpoint = Endpoint::default();
            endpoint.terms_mut().set_trusted_proxies(proxies.clone());
            endpoint.set_cors(cors);
            for eio3 in [false, true] {
                endpoint.set_eio3(eio3);
                look(&written, &view, &endpoint);
            }
        }
        same_origin(&written, &view, &proxies);
    }
    if let Some(accepted) = written.first("accept-encoding") {
        coding(accepted);
    }
    made_headers(&written);
}

fn some_proxies() -> TrustedProxies {
    TrustedProxies::list(["10.0.0.0/8", "fd00::/8"]).expect("networks")
}

/// Nobody makes himself another address but by a word that is believed.
fn client(written: &Written<'_>, view: &RequestView<'_>, proxies: &TrustedProxies, peer: IpAddr) {
    let client = proxies.client(view).expect("the peer is known");
    let said: Vec<&str> = written
        .all("x-forwarded-for")
        .flat_map(|line| line.split(','))
        .collect();
    if !proxies.trusts(peer) {
        assert_eq!(client, peer.to_canonical());
        assert!(!proxies.says_secure(view) && proxies.host(view).is_none());
    } else if client != peer.to_canonical() {
        // Behind it stand only those who are believed.
        let name = |text: &str| {
            let text = text.trim();
            let bare = text.strip_prefix('[').and_then(|rest| rest.split(']').next());
            let bare = bare.or_else(|| {
                text.rsplit_once(':')
                    .map(|(address, _)| address)
                    .filter(|rest| !rest.contains(':'))
            });
            let address: Option<IpAddr> = bare.unwrap_or(text).parse().ok();
            address.map(|address| address.to_canonical())
        };
        let addresses: Vec<Option<IpAddr>> = said.iter().map(|text| name(text)).collect();
        let at = addresses.iter().rposition(|address| *address == Some(client));
        let at = at.unwrap_or_else(|| panic!("{client} is not in {said:?}"));
        assert!(
            addresses[at + 1..]
                .iter()
                .flatten()
                .all(|address| proxies.trusts(*address)),
            "{client} was said by somebody who is not believed"
        );
    }
}

fn look(written: &Written<'_>, view: &RequestView<'_>, endpoint: &Endpoint) {
    let look = endpoint.look(view);
    assert_eq!(look.route, endpoint.route(view));
    let ours = view.path.starts_with("/engine.io/");
    assert_eq!(look.route == Route::NotOurs, !ours);
    if look.origin == CorsAnswer::Allow {
        assert!(written.first("origin").is_some());
    }
    if matches!(look.route, Route::Open(_) | Route::Session { .. } | Route::Preflight) {
        assert_ne!(look.origin, CorsAnswer::Refuse);
        // It is written into the answer.
        let origin = written.first("origin").unwrap_or_default();
        assert!(origin.bytes().all(|byte| matches!(byte, 0x21..=0x7e)), "{origin:?}");
    }
    if let Some(index) = look.jsonp {
        assert!(index < 1_000_000_000_000_000);
        assert!(
            view.query_value("j")
                .is_some_and(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
        );
    }
}

/// Whoever is let in is of the host that was asked for.
fn same_origin(written: &Written<'_>, view: &RequestView<'_>, proxies: &TrustedProxies) {
    let cors = Cors::same_origin();
    if cors.check(view, proxies.host(view)) != CorsAnswer::Allow {
        return;
    }
    let origin = written.first("origin").expect("it was let in").to_ascii_lowercase();
    let hosts = [written.first("host"), proxies.host(view)];
    let fits = hosts.into_iter().flatten().any(|host| {
        let host = host.to_ascii_lowercase();
        ["http", "https"].into_iter().any(|scheme| {
            let port = if scheme == "http" { ":80" } else { ":443" };
            let bare = |text: &str| text.strip_suffix(port).unwrap_or(text).to_owned();
            let authority = origin.strip_prefix(scheme).and_then(|rest| rest.strip_prefix("://"));
            authority.is_some_and(|authority| bare(authority) == bare(&host))
        })
    });
    assert!(fits, "{origin} at {hosts:?}");
    assert!(!view.is_secure || origin.starts_with("https://"));
}

fn coding(accepted: &str) {
    let compression = Compression::default();
    assert_eq!(compression.coding(1023, Some(accepted)), None);
    let Some(coding) = Coding::preferred(accepted) else {
        return;
    };
    assert_eq!(compression.coding(1024, Some(accepted)), Some(coding));
    let accepted = accepted.to_ascii_lowercase();
    let mut names = accepted
        .split(',')
        .map(|item| item.split(';').next().unwrap_or_default().trim());
    let wanted = names.any(|name| name == "*" || name.strip_prefix("x-").unwrap_or(name) == coding.as_str());
    assert!(wanted, "{coding:?} was never said to be accepted");
}

/// Whatever an application makes of what a client says: lines of headers, and no others.
fn made_headers(written: &Written<'_>) {
    let made: Vec<(String, String)> = written
        .headers
        .iter()
        // A line break can not come in by a header, but by a query.
        .map(|(name, value)| (name.replace('|', "\r\n"), value.replace('|', "\r\n")))
        .collect();
    let mut terms = Terms::default();
    terms.set_headers_with({
        let made = made.clone();
        move |_, headers| {
            for (name, value) in &made {
                headers.add(name, value);
            }
        }
    });
    let none = &[][..];
    let view = RequestView::new("GET", "/", &none);
    let lines = terms.lines_for(&view, true).unwrap_or_default();
    for line in lines.split_terminator("\r\n") {
        let (name, value) = line.split_once(": ").expect("a name and a value");
        assert!(!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':'));
        assert!(!value.contains(['\r', '\n', '\0']));
        let name = name.to_ascii_lowercase();
        assert!(!["content-length", "transfer-encoding", "connection", "upgrade"].contains(&&name[..]));
    }
    let sid = Sid::new("sid").expect("a valid id");
    for (name, value) in made {
        let cookie = Cookie::new(name.clone())
            .path(value.clone())
            .domain(value.clone())
            .max_age(Duration::from_secs(1));
        if let Ok(header) = cookie.header(&sid) {
            assert!(!header.contains(['\r', '\n', '\0']), "{header:?}");
            let attributes = if value.is_empty() { 4 } else { 6 };
            assert_eq!(header.split(';').count(), attributes, "{header:?}");
            assert_eq!(header.split(['=', ';']).next(), Some(&name[..]));
        }
    }
}

/// A payload as a call in a script, and as a form: neither can be broken out of, and both say the same.
pub fn scripts_and_forms(data: &[u8]) {
    let _any_form = jsonp::decode(data);
    let Ok(payload) = core::str::from_utf8(data) else {
        return;
    };
    let mut call = Vec::new();
    jsonp::encode(7, data, &mut call);
    let call = String::from_utf8(call).expect("what was text is text");
    assert!(!call.contains(['\n', '\r', '<', '>', '\u{2028}', '\u{2029}']), "{call}");
    let argument = call.strip_prefix("___eio[7](").and_then(|rest| rest.strip_suffix(");"));
    let text: String = serde_json::from_str(argument.expect("a call")).expect("a string");
    assert_eq!(text, payload);

    // A backslash before a line break can not be written in such a form.
    if payload.contains("\\\n") {
        return;
    }
    let escaped = payload.replace("\\n", "\\\\n").replace('\n', "\\n");
    let mut form = b"a=b&d=".to_vec();
    for byte in escaped.bytes() {
        match byte {
            b' ' => form.push(b'+'),
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' => form.push(byte),
            _ => form.extend_from_slice(format!("%{byte:02x}").as_bytes()),
        }
    }
    form.extend_from_slice(b"&d=other");
    assert_eq!(jsonp::decode(&form).as_deref(), Some(payload));
}
