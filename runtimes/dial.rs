//! From a name to a stream: addresses resolved, tried one after the other, a little before the last one has failed.

use core::future::Future;
use core::net::SocketAddr;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::boxed::Box;
use std::io;
use std::string::String;
use std::vec::Vec;

use super::Runtime;
use super::app::BoxFuture;

/// How long one address has before the next is tried beside it (RFC 8305, section 5).
const HEAD_START: Duration = Duration::from_millis(250);

/// Resolves and connects. Bounded in time by whoever waits: dropping it gives up.
pub(crate) fn dial<R: Runtime>(runtime: R, host: String, port: u16) -> BoxFuture<io::Result<R::Stream>> {
    Box::pin(async move {
        let addresses = runtime.resolve(&host, port).await?;
        Race {
            addresses: interleave(addresses),
            runners: Vec::new(),
            head_start: None,
            error: None,
            runtime,
        }
        .await
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
