//! A request that is kept: for connect handlers and for other paths than the endpoint's.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, SocketAddr};

use bytes::Bytes;

use super::{Headers, RequestView, TlsInfo};

/// An HTTP request, as the client sent it.
///
/// It is made only where somebody wants it: for a connect handler, and for a path that is not the endpoint's.
#[derive(Clone)]
pub struct Request {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, Bytes)>,
    body: Bytes,
    peer: SocketAddr,
    client: IpAddr,
    is_secure: bool,
    tls: Option<Box<TlsInfo>>,
}

impl Request {
    /// Keeps a request whose head was read.
    pub fn new<'a>(
        view: &RequestView<'_>,
        headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
        peer: SocketAddr,
    ) -> Self {
        let headers = headers.into_iter().map(|(name, value)| {
            let name = name.to_ascii_lowercase();
            (name, Bytes::copy_from_slice(value))
        });
        Self {
            method: view.method.into(),
            path: view.path.into(),
            query: view.query.into(),
            headers: headers.collect(),
            body: Bytes::new(),
            peer,
            client: peer.ip(),
            is_secure: view.is_secure,
            tls: None,
        }
    }

    #[must_use]
    #[cfg(feature = "wire")]
    pub(crate) fn with_tls(mut self, tls: Option<TlsInfo>) -> Self {
        self.tls = tls.map(Box::new);
        self
    }

    #[must_use]
    #[cfg(feature = "wire")]
    pub(crate) fn with_client(mut self, client: Option<IpAddr>) -> Self {
        self.client = client.unwrap_or(self.client);
        self
    }

    #[must_use]
    #[cfg(feature = "wire")]
    pub(crate) fn with_body(mut self, body: Bytes) -> Self {
        self.body = body;
        self
    }

    /// `GET`, `POST`, …
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The path of the target, as it came: still percent-encoded, without the query.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What follows the question mark; empty where there is none.
    pub fn query(&self) -> &str {
        &self.query
    }

    /// The value of a query parameter, percent-decoded; the last one where there are several.
    pub fn query_value(&self, name: &str) -> Option<String> {
        self.view().query_value(name).map(Into::into)
    }

    /// The value of the first header of this name (in any case), where it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(|value| core::str::from_utf8(value).ok())
    }

    /// All headers in their order, names in lower case.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.headers.iter().map(|(name, value)| (&name[..], &value[..]))
    }

    /// The body; empty for a request of the endpoint.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The address of the other end of the TCP connection: the client's, or the last proxy's.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// The client's address: [`peer`](Self::peer)'s, unless that is a proxy which is
    /// [trusted](super::TrustedProxies) and says who has asked it.
    pub fn client(&self) -> IpAddr {
        self.client
    }

    /// Whether it came over TLS: to this server, or to a proxy that is [trusted](super::TrustedProxies). Behind another
    /// proxy that ends TLS it did not.
    pub fn is_secure(&self) -> bool {
        self.is_secure
    }

    /// The certificate that the client has shown over TLS, and that was found to be good, in DER.
    pub fn client_certificate(&self) -> Option<&Bytes> {
        self.tls()?.certificates.first()
    }

    /// What is known of the TLS that it came over, to this server: its version, the name that was asked for, the client's
    /// certificates. `None` without, and behind a proxy that ends TLS.
    pub fn tls(&self) -> Option<&TlsInfo> {
        self.tls.as_deref()
    }

    fn view(&self) -> RequestView<'_> {
        RequestView {
            method: &self.method,
            path: &self.path,
            query: &self.query,
            headers: self,
            is_secure: self.is_secure,
            peer: Some(self.peer.ip()),
        }
    }
}

/// Shows method and path. Headers and query hold what belongs into no log: cookies, passwords, session ids.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("path", &self.path)
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

impl Headers for Request {
    fn get(&self, name: &str) -> Option<&[u8]> {
        let found = self.headers.iter().find(|header| header.0.eq_ignore_ascii_case(name));
        found.map(|header| &header.1[..])
    }

    fn each<'a>(&'a self, name: &str, see: &mut dyn FnMut(&'a [u8])) {
        let found = self.headers.iter().filter(|header| header.0.eq_ignore_ascii_case(name));
        found.for_each(|header| see(&header.1));
    }
}
