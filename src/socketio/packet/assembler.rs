//! A packet's messages, put together again.

use alloc::boxed::Box;
use alloc::vec::Vec;

use bytes::Bytes;

use super::super::ATTACHMENT_OVERHEAD;
use super::super::args::check_placeholders;
use super::{Body, Decoded, Limits, Packet, PacketError, Parser};
use crate::engineio::Data;

/// Makes packets of messages: keeps a packet whose attachments are still coming.
///
/// What it keeps is bounded by [`Limits::max_packet`]. After an error it keeps nothing, and the peer is not worth listening
/// to any more.
///
/// ```
/// use sansocket::socketio::{Args, Assembler, Body, Limits, TEXT};
///
/// let mut assembler = Assembler::new(&TEXT);
/// let limits = Limits::default();
/// let header = r#"51-["upload",{"_placeholder":true,"num":0}]"#;
/// assert_eq!(assembler.handle_data(header.into(), &limits), Ok(None));
/// let packet = assembler.handle_data(vec![1, 2, 3].into(), &limits).unwrap().unwrap();
/// let Body::Event { name, args, .. } = packet.body else { panic!("it is an event") };
/// assert_eq!((&name[..], &args.attachments()[0][..]), ("upload", &[1, 2, 3][..]));
/// ```
#[derive(Debug)]
pub struct Assembler {
    parser: &'static dyn Parser,
    partial: Option<Box<Partial>>,
}

#[derive(Debug)]
struct Partial {
    packet: Packet,
    attachments: Vec<Bytes>,
    missing: usize,
    cost: usize,
}

impl Assembler {
    /// An assembler that waits for a packet to begin.
    pub fn new(parser: &'static dyn Parser) -> Self {
        Self { parser, partial: None }
    }

    /// A message came. Answers with the packet that it completes, if it does.
    ///
    /// # Errors
    /// It is not what may come next.
    pub fn handle_data(&mut self, data: Data, limits: &Limits) -> Result<Option<Packet>, PacketError> {
        let partial = self.partial.take();
        if partial.is_some() && matches!(data, Data::Text(_)) {
            return Err(PacketError::UnexpectedText);
        }
        if data.len() > limits.max_packet {
            return Err(PacketError::TooLarge);
        }
        let size = data.len();
        match (self.parser.decode(data, limits)?, partial) {
            (Decoded::Whole(packet), None) => Ok(Some(packet)),
            (Decoded::Partial(packet, missing), None) => {
                self.partial = Some(Box::new(Partial {
                    packet,
                    // They may never come, so nothing is set aside for them.
                    attachments: Vec::new(),
                    missing,
                    cost: size,
                }));
                Ok(None)
            }
            (Decoded::Attachment(bytes), Some(partial)) => self.attach(partial, bytes, limits),
            (Decoded::Attachment(_), None) => Err(PacketError::UnexpectedBinary),
            (Decoded::Whole(_) | Decoded::Partial(..), Some(_)) => Err(PacketError::UnexpectedText),
        }
    }

    fn attach(
        &mut self,
        mut partial: Box<Partial>,
        bytes: Bytes,
        limits: &Limits,
    ) -> Result<Option<Packet>, PacketError> {
        partial.cost += bytes.len() + ATTACHMENT_OVERHEAD;
        if partial.cost > limits.max_packet {
            return Err(PacketError::TooLarge);
        }
        partial.attachments.push(bytes);
        if partial.attachments.len() < partial.missing {
            self.partial = Some(partial);
            return Ok(None);
        }
        let Partial {
            mut packet,
            attachments,
            ..
        } = *partial;
        if let Body::Event { args, .. } | Body::Ack { args, .. } = &mut packet.body {
            args.set_attachments(attachments);
        }
        Ok(Some(packet))
    }

    /// The packet whose attachments are still coming.
    pub fn partial(&self) -> Option<&Packet> {
        self.partial.as_deref().map(|partial| &partial.packet)
    }

    /// How many bytes are kept of it.
    pub fn held(&self) -> usize {
        self.partial.as_deref().map_or(0, |partial| partial.cost)
    }
}

/// Every placeholder numbers an attachment; to be looked at before the attachments come.
pub(super) fn look_at_placeholders(array: &str, attachments: usize, limits: &Limits) -> Result<(), PacketError> {
    match check_placeholders(array, attachments, limits.max_depth)? {
        true => Ok(()),
        false => Err(PacketError::InvalidPlaceholder),
    }
}
