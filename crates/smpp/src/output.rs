//! Octets on their way out: PDUs are appended, the socket takes them piece by piece, and it stays
//! known which octet of the session has left and which has not.

/// What one end still has to send.
#[derive(Debug, Default)]
pub struct Output {
    octets: Vec<u8>,
    /// How many of `octets` have left.
    flushed: usize,
    /// How many had left before `octets` began.
    before: u64,
}

impl Output {
    /// Nothing to send, with room for this many octets.
    pub fn with_capacity(octets: usize) -> Output {
        Output { octets: Vec::with_capacity(octets), ..Output::default() }
    }

    /// Where to append.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.octets
    }

    /// What to send next.
    pub fn unsent(&self) -> &[u8] {
        &self.octets[self.flushed..]
    }

    /// The place in the session's stream of octets where the next PDU will begin.
    pub fn position(&self) -> u64 {
        self.before + self.octets.len() as u64
    }

    /// This many octets of [`Output::unsent`] have left.
    pub fn sent(&mut self, count: usize) {
        self.flushed = (self.flushed + count).min(self.octets.len());
        if self.flushed == self.octets.len() {
            self.before += self.flushed as u64;
            self.flushed = 0;
            self.octets.clear();
        }
    }

    /// Whether the octet at this position has left, and so perhaps the PDU that begins there.
    pub fn has_left(&self, position: u64) -> bool {
        position < self.before + self.flushed as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_known_what_has_left() {
        let mut output = Output::default();
        let first = output.position();
        output.buffer().extend([1; 10]);
        let second = output.position();
        output.buffer().extend([2; 10]);
        assert!(!output.has_left(first));
        output.sent(1);
        assert!(output.has_left(first), "one octet is enough");
        output.sent(9);
        assert!(!output.has_left(second), "all of the first and nothing of the second");
        assert_eq!(output.unsent(), [2; 10]);
        output.sent(10);
        assert!(output.has_left(second));
        let third = output.position();
        output.buffer().push(3);
        assert!(!output.has_left(third));
        assert_eq!(third, 20);
    }
}
