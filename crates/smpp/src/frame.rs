//! Bytes to frames: a frame is a header and a body, cut by the length the header gives. What the
//! body says is [`crate::pdu`]'s matter.

use rusmpp::CommandId;

use crate::status::Status;

/// Octets of a header, and so of the shortest PDU.
pub const HEADER_OCTETS: usize = 16;

/// The longest PDU taken: 64 KiB. A message of 64 K octets in a `message_payload` is the longest
/// thing SMPP can say and nobody sends one; whatever claims to be longer is noise or an attack.
pub const PDU_OCTETS_MAX: usize = 64 * 1024;

/// The header of a PDU, its length left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Which PDU it is.
    pub id: CommandId,
    /// In a response: how the request went.
    pub status: Status,
    /// Which request a response belongs to.
    pub sequence_number: u32,
}

/// One PDU as it came, its body not yet read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Its header.
    pub header: Header,
    /// What follows the header: 0 to 65 520 octets.
    pub body: &'a [u8],
}

/// Why no frame can be cut: the two ends no longer agree where PDUs begin, so the session must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A length that does not even cover the header.
    #[error("a PDU claims a length of {0} octets; 16 is the least")]
    TooShort(u32),
    /// A length beyond [`PDU_OCTETS_MAX`].
    #[error("a PDU claims a length of {0} octets; {PDU_OCTETS_MAX} is the most taken")]
    TooLong(u32),
}

/// The whole frames at the front of a buffer, in order. Stops at the first that is not whole yet,
/// and after an error.
#[derive(Clone, Debug)]
pub struct Frames<'a> {
    buffer: &'a [u8],
    consumed: usize,
    broken: bool,
}

impl<'a> Frames<'a> {
    /// Begins at the front of the buffer.
    pub fn new(buffer: &'a [u8]) -> Frames<'a> {
        Frames { buffer, consumed: 0, broken: false }
    }

    /// How many octets the frames given so far took. What follows belongs in front of what is read
    /// next.
    pub fn consumed(&self) -> usize {
        self.consumed
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Result<Frame<'a>, FrameError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = &self.buffer[self.consumed..];
        if self.broken || rest.len() < 4 {
            return None;
        }
        let claimed = word(rest, 0);
        let refused = match claimed as usize {
            length if length < HEADER_OCTETS => Some(FrameError::TooShort(claimed)),
            length if length > PDU_OCTETS_MAX => Some(FrameError::TooLong(claimed)),
            _ => None,
        };
        if let Some(error) = refused {
            self.broken = true;
            return Some(Err(error));
        }
        let frame = rest.get(..claimed as usize)?;
        self.consumed += frame.len();
        let header = Header {
            id: CommandId::from(word(frame, 4)),
            status: Status(word(frame, 8)),
            sequence_number: word(frame, 12),
        };
        Some(Ok(Frame { header, body: &frame[HEADER_OCTETS..] }))
    }
}

fn word(octets: &[u8], at: usize) -> u32 {
    octets[at..at + 4].iter().fold(0, |sum, octet| sum << 8 | u32::from(*octet))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pdu(length: u32, body: &[u8]) -> Vec<u8> {
        let mut octets = length.to_be_bytes().to_vec();
        octets.extend([0, 0, 0, 0x15, 0, 0, 0, 0, 0, 0, 0, 7]);
        octets.extend(body);
        octets
    }

    #[test]
    fn frames_are_cut_wherever_the_bytes_break() {
        let mut stream = pdu(16, b"");
        stream.extend(pdu(20, b"abcd"));
        stream.extend(pdu(16, b""));
        for cut in 0..stream.len() {
            let mut front = Frames::new(&stream[..cut]);
            let before = front.by_ref().count();
            let mut back = Frames::new(&stream[front.consumed()..]);
            assert_eq!(before + back.by_ref().count(), 3, "cut at {cut}");
            assert_eq!(front.consumed() + back.consumed(), stream.len());
        }
    }

    #[test]
    fn lengths_out_of_bounds_are_refused_before_anything_is_kept() {
        #[rustfmt::skip]
        let cases = [
            (0,          Some(FrameError::TooShort(0))),
            (15,         Some(FrameError::TooShort(15))),
            (16,         None),
            (65_536,     None),
            (65_537,     Some(FrameError::TooLong(65_537))),
            (0xFFFF_FFFF, Some(FrameError::TooLong(0xFFFF_FFFF))),
        ];
        for (length, error) in cases {
            let octets = pdu(length, b"");
            let mut frames = Frames::new(&octets);
            assert_eq!(frames.next().and_then(Result::err), error, "{length}");
            assert_eq!(frames.next(), None, "nothing is given after an error");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_give_frames_that_lie_within_them(octets in prop::collection::vec(any::<u8>(), 0..400)) {
            let mut frames = Frames::new(&octets);
            let held: usize = frames.by_ref().flatten().map(|f| f.body.len() + HEADER_OCTETS).sum();
            prop_assert_eq!(held, frames.consumed());
            prop_assert!(held <= octets.len());
        }
    }
}
