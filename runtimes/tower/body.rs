//! The bodies of responses: ours, and those of the service within.

use core::convert::Infallible;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::runtime::app::App;
use crate::wire::Unwritten;

/// A body of ours.
pub(super) struct Ours {
    pub(super) text: Text,
    pub(super) unwritten: Option<Unwritten<App>>,
}

pin_project_lite::pin_project! {
    /// The body of a response: the server's, or `T`, that of the service within.
    pub struct ResponseBody<T> {
        #[pin]
        kind: Kind<T>,
    }
}

pin_project_lite::pin_project! {
    #[project = KindProjection]
    enum Kind<T> {
        Ours { ours: Ours },
        Theirs { #[pin] body: T },
    }
}

impl<T> ResponseBody<T> {
    pub(super) fn ours(ours: Ours) -> Self {
        Self {
            kind: Kind::Ours { ours },
        }
    }

    pub(super) fn theirs(body: T) -> Self {
        Self {
            kind: Kind::Theirs { body },
        }
    }
}

impl<T> fmt::Debug for ResponseBody<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResponseBody")
    }
}

impl<T: http_body::Body<Data = Bytes>> http_body::Body for ResponseBody<T> {
    type Data = Bytes;
    type Error = T::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, T::Error>>> {
        match self.project().kind.project() {
            KindProjection::Ours { ours } => {
                // That it was taken is all there is to know: whether it arrives shows when the client comes back.
                if let Some(unwritten) = &mut ours.unwritten {
                    unwritten.handle_written();
                }
                Poll::Ready(ours.text.take().map(|bytes| Ok(Frame::data(bytes))))
            }
            KindProjection::Theirs { body } => body.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Ours { ours } => ours.text.is_empty(),
            Kind::Theirs { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Ours { ours } => ours.text.size_hint(),
            Kind::Theirs { body } => body.size_hint(),
        }
    }
}

/// A body that is a few bytes.
#[derive(Clone, Debug, Default)]
pub struct Text(Option<Bytes>);

impl Text {
    /// A body of these bytes.
    pub fn new(bytes: Bytes) -> Self {
        Self(Some(bytes).filter(|bytes| !bytes.is_empty()))
    }

    fn take(&mut self) -> Option<Bytes> {
        self.0.take()
    }

    fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}

impl http_body::Body for Text {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        Text::size_hint(self)
    }
}
