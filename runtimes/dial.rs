//! From a name to a stream: addresses resolved, tried one after the other, a little before the last one has failed.

use core::future::Future;
use core::net::SocketAddr;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::boxed::Box;
use std::io;
use std::string::String;
use std::sync::Arc;
use std::vec::Vec;

use super::app::{BoxFuture, contained};
use super::{Runtime, Stream};

/// How long one address has before the next is tried beside it (RFC 8305, section 5).
const HEAD_START: Duration = Duration::from_millis(250);

/// Whom a client wants a stream to: the host and the port of its URL, or of its proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialTarget {
    host: String,
    port: u16,
}

impl DialTarget {
    pub(crate) fn new(host: &str, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
        }
    }

    /// A name or an address, IPv6 without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port: the URL's, or its scheme's.
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// How the application makes streams in place of the runtime.
pub(crate) type Dialer = Arc<dyn Fn(DialTarget) -> BoxFuture<io::Result<Box<dyn Stream>>> + Send + Sync>;

/// The application's way to a stream.
pub(crate) fn dialer<F, Fut, S>(dial: F) -> Dialer
where
    F: Fn(DialTarget) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = io::Result<S>> + Send + 'static,
    S: Stream,
{
    let dial = Arc::new(dial);
    Arc::new(move |target| {
        let dial = dial.clone();
        Box::pin(async move {
            // A panic of the application's is no end of the client's task.
            let stream = contained(async move { dial(target).await }).await;
            let panicked = |_| io::Error::other("the function that connects has panicked");
            let stream: Box<dyn Stream> = Box::new(stream.map_err(panicked)??);
            Ok(stream)
        })
    })
}

/// A stream of the runtime's, or one that the application has made.
pub(crate) enum Dialed<S> {
    Own(S),
    Given(Box<dyn Stream>),
}

impl<S: Stream> Stream for Dialed<S> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Own(stream) => stream.poll_read(cx, buf),
            Self::Given(stream) => stream.poll_read(cx, buf),
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Own(stream) => stream.poll_write(cx, buf),
            Self::Given(stream) => stream.poll_write(cx, buf),
        }
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Own(stream) => stream.poll_close(cx),
            Self::Given(stream) => stream.poll_close(cx),
        }
    }
}

/// Connects, by the application's way where it has one; else resolves, and tries all addresses. Bounded in time by whoever
/// waits: dropping it gives up.
pub(crate) fn dial<R: Runtime>(
    runtime: R,
    dialer: Option<&Dialer>,
    target: DialTarget,
) -> BoxFuture<io::Result<Dialed<R::Stream>>> {
    if let Some(dialer) = dialer {
        let dialing = dialer(target);
        return Box::pin(async move { dialing.await.map(Dialed::Given) });
    }
    Box::pin(async move {
        let addresses = runtime.resolve(&target.host, target.port).await?;
        let race = Race {
            addresses: interleave(addresses),
            runners: Vec::new(),
            head_start: None,
            error: None,
            runtime,
        };
        race.await.map(Dialed::Own)
    })
}

/// Families take turns, beginning with the one that the resolver has put first (RFC 8305, section 4). Last is next.
fn interleave(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let Some(first) = addresses.first().map(SocketAddr::is_ipv6) else {
        return addresses;
    };
    let (mut ours, mut others): (Vec<_>, Vec<_>) = addresses.into_iter().rev().partition(|a| a.is_ipv6() == first);
    let mut order = Vec::with_capacity(ours.len() + others.len());
    while !ours.is_empty() || !others.is_empty() {
        order.extend(ours.pop());
        order.extend(others.pop());
    }
    order.reverse();
    order
}

/// Attempts on several addresses, of which the first to succeed wins.
struct Race<R: Runtime> {
    runtime: R,
    /// Not tried yet; the next one is last.
    addresses: Vec<SocketAddr>,
    runners: Vec<BoxFuture<io::Result<R::Stream>>>,
    head_start: Option<Pin<Box<R::Sleep>>>,
    /// What became of the first that failed.
    error: Option<io::Error>,
}

// Nothing in it is pinned but what is in boxes.
impl<R: Runtime> Unpin for Race<R> {}

impl<R: Runtime> Race<R> {
    fn start_next(&mut self) {
        let Some(address) = self.addresses.pop() else { return };
        let runtime = self.runtime.clone();
        self.runners
            .push(Box::pin(async move { runtime.connect(address).await }));
        let until = self.runtime.now() + HEAD_START;
        self.head_start = (!self.addresses.is_empty()).then(|| Box::pin(self.runtime.sleep_until(until)));
    }
}

impl<R: Runtime> Future for Race<R> {
    type Output = io::Result<R::Stream>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let race = &mut *self;
        loop {
            if race.runners.is_empty() {
                if race.addresses.is_empty() {
                    let nobody = || io::Error::new(io::ErrorKind::NotFound, "the name has no address");
                    return Poll::Ready(Err(race.error.take().unwrap_or_else(nobody)));
                }
                race.start_next();
            }
            let mut at = 0;
            while at < race.runners.len() {
                match race.runners[at].as_mut().poll(cx) {
                    Poll::Pending => at += 1,
                    Poll::Ready(Ok(stream)) => return Poll::Ready(Ok(stream)),
                    Poll::Ready(Err(error)) => {
                        race.error.get_or_insert(error);
                        drop(race.runners.remove(at));
                    }
                }
            }
            if race.runners.is_empty() {
                continue;
            }
            let late = match &mut race.head_start {
                Some(head_start) => head_start.as_mut().poll(cx),
                None => Poll::Pending,
            };
            if late.is_pending() {
                return Poll::Pending;
            }
            race.start_next();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::vec;

    use super::*;

    #[test]
    fn families_take_turns() {
        let parse = |text: &str| -> SocketAddr { text.parse().expect("an address") };
        let (a, b) = (parse("[::1]:1"), parse("[::2]:1"));
        let (c, d, e) = (parse("1.1.1.1:1"), parse("2.2.2.2:1"), parse("3.3.3.3:1"));
        let mut order = interleave(vec![a, b, c, d, e]);
        order.reverse();
        assert_eq!(order, [a, c, b, d, e]);
        assert!(interleave(Vec::new()).is_empty());
    }
}
