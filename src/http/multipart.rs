//! `multipart/byteranges`: several parts of one representation (RFC 9110 §14.6).

use std::vec;

use super::range;

/// Content of a response with several parts. Each piece consists of some framing bytes and a range
/// of the representation.
#[derive(Clone, Debug)]
pub struct Multipart {
    boundary: String,
    /// `Content-Type` of the representation.
    kind: Option<Vec<u8>>,
    /// Length of the representation.
    length: u64,
    parts: vec::IntoIter<(u64, u64)>,
    begun: bool,
    ended: bool,
}

/// The next piece of the content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Bytes to send first: the boundary line and the head of the part.
    pub lead: Vec<u8>,
    /// First byte of the representation that follows.
    pub first: u64,
    /// Offset one past the last byte.
    pub end: u64,
}

impl Multipart {
    /// Creates the content for `parts` of a representation of this `length`, and of this media type
    /// `kind` if it is known. The boundary is made from `secret`, which must be unpredictable for
    /// authors of content.
    #[must_use]
    pub fn new(parts: Vec<(u64, u64)>, length: u64, kind: Option<&[u8]>, secret: [u64; 2]) -> Self {
        Self {
            boundary: format!("{:016x}{:016x}", secret[0], secret[1]),
            kind: kind.map(<[u8]>::to_vec),
            length,
            parts: parts.into_iter(),
            begun: false,
            ended: false,
        }
    }

    /// Returns the `Content-Type` of the response.
    #[must_use]
    pub fn content_type(&self) -> String {
        format!("multipart/byteranges; boundary={}", self.boundary)
    }

    /// Returns the number of bytes that remain to be sent.
    #[must_use]
    pub fn content_length(&self) -> u64 {
        let lengths = self
            .clone()
            .map(|piece| (piece.lead.len() as u64).saturating_add(piece.end - piece.first));
        lengths.fold(0, u64::saturating_add)
    }

    /// Returns true if all pieces were taken.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.ended
    }

    fn separator(&mut self) -> Vec<u8> {
        let line_end = if std::mem::replace(&mut self.begun, true) { "\r\n" } else { "" };
        format!("{line_end}--{}", self.boundary).into_bytes()
    }
}

impl Iterator for Multipart {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        if self.ended {
            return None;
        }
        let mut lead = self.separator();
        let Some((first, end)) = self.parts.next() else {
            self.ended = true;
            lead.extend_from_slice(b"--\r\n");
            return Some(Piece { lead, first: 0, end: 0 });
        };
        if let Some(kind) = &self.kind {
            [b"\r\nContent-Type: ", &**kind].iter().for_each(|part| lead.extend_from_slice(part));
        }
        let range = range::content_range(first, end, self.length);
        lead.extend_from_slice(format!("\r\nContent-Range: {range}\r\n\r\n").as_bytes());
        Some(Piece { lead, first, end })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(mut multipart: Multipart, content: &[u8]) -> String {
        let mut out = Vec::new();
        for piece in &mut multipart {
            out.extend_from_slice(&piece.lead);
            let at = |offset| usize::try_from(offset).unwrap();
            out.extend_from_slice(&content[at(piece.first)..at(piece.end)]);
        }
        assert!(multipart.is_over());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_part_has_its_range_and_the_media_type() {
        let multipart = Multipart::new(vec![(7, 9), (0, 1)], 10, Some(b"text/plain"), [1, 2]);
        assert_eq!(
            multipart.content_type(),
            "multipart/byteranges; boundary=00000000000000010000000000000002"
        );
        let length = multipart.content_length();
        let text = written(multipart, b"0123456789");
        assert_eq!(text.len() as u64, length);
        assert_eq!(
            text,
            "--00000000000000010000000000000002\r\n\
             Content-Type: text/plain\r\nContent-Range: bytes 7-8/10\r\n\r\n78\r\n\
             --00000000000000010000000000000002\r\n\
             Content-Type: text/plain\r\nContent-Range: bytes 0-0/10\r\n\r\n0\r\n\
             --00000000000000010000000000000002--\r\n"
        );
    }

    #[test]
    fn parts_without_media_type_have_no_content_type() {
        let text = written(Multipart::new(vec![(0, 1), (9, 10)], 10, None, [0, 0]), b"0123456789");
        assert!(!text.contains("Content-Type"));
        assert!(text.starts_with("--00000000000000000000000000000000\r\nContent-Range: "));
    }
}
