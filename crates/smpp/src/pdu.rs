//! Frames to PDUs and back. What comes often is read in place, without copying, and leniently:
//! message ids and addresses of any length, ids that never end, octets left over at the end, and
//! optional parameters of a wrong length are all sent by carriers, and none of them is a reason to
//! lose a message or a session. What comes rarely is read with rusmpp's types.
//!
//! Source: SMPP 3.4 section 4.

use rusmpp::CommandId;
use rusmpp::decode::DecodeWithLength;

use crate::frame::{Frame, HEADER_OCTETS};
use crate::status::Status;

/// The numbers of optional parameters.
pub mod tag {
    /// The id a receipt is about.
    pub const RECEIPTED_MESSAGE_ID: u16 = 0x001E;
    /// The sender's own number for a message.
    pub const USER_MESSAGE_REFERENCE: u16 = 0x0204;
    /// Which reference joins segments.
    pub const SAR_MSG_REF_NUM: u16 = 0x020C;
    /// How many segments there are.
    pub const SAR_TOTAL_SEGMENTS: u16 = 0x020E;
    /// Which segment this is, from 1.
    pub const SAR_SEGMENT_SEQNUM: u16 = 0x020F;
    /// The version the SMSC speaks, in the answer to a bind.
    pub const SC_INTERFACE_VERSION: u16 = 0x0210;
    /// The error of the network: one octet of its kind, two of its code.
    pub const NETWORK_ERROR_CODE: u16 = 0x0423;
    /// The text, where it is too long for `short_message`.
    pub const MESSAGE_PAYLOAD: u16 = 0x0424;
    /// The state a receipt tells.
    pub const MESSAGE_STATE: u16 = 0x0427;
}

/// The bit of `esm_class` that says the text begins with a user data header.
pub const ESM_UDH: u8 = 0x40;
/// The bits of `esm_class` that say what kind of message it is.
pub const ESM_KIND: u8 = 0x3C;
/// The kind of a delivery receipt.
pub const ESM_RECEIPT: u8 = 0x04;
/// The kind of a word on the way: not delivered yet, still trying.
pub const ESM_INTERMEDIATE: u8 = 0x20;
/// The version of SMPP spoken here.
pub const INTERFACE_VERSION: u8 = 0x34;

/// A PDU, its strings and texts still lying in the buffer it was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pdu<'a> {
    /// `bind_transmitter`, `bind_receiver`, `bind_transceiver`.
    Bind(Bind<'a>),
    /// The answer to any of them.
    BindResp(BindKind),
    /// `submit_sm`.
    Submit(ShortMessage<'a>),
    /// `submit_sm_resp`.
    SubmitResp {
        /// The carrier's id of the message; empty when it took none.
        message_id: &'a [u8],
    },
    /// `deliver_sm`.
    Deliver(ShortMessage<'a>),
    /// `deliver_sm_resp`.
    DeliverResp,
    /// `data_sm`, in the shape of the other two.
    Data(ShortMessage<'a>),
    /// `data_sm_resp`.
    DataResp {
        /// The id of the message; empty when none was taken.
        message_id: &'a [u8],
    },
    /// `enquire_link`.
    EnquireLink,
    /// `enquire_link_resp`.
    EnquireLinkResp,
    /// `unbind`.
    Unbind,
    /// `unbind_resp`.
    UnbindResp,
    /// `generic_nack`.
    GenericNack,
    /// One that comes rarely.
    Other(Box<rusmpp::Command>),
    /// One that SMPP does not know.
    Unknown,
}

/// Why a body cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the body cannot be read: {0} is missing, cut off or not as it must be")]
pub struct Malformed(pub &'static str);

/// What a session is bound for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BindKind {
    /// Messages towards the SMSC.
    Transmitter,
    /// Messages and receipts from the SMSC.
    Receiver,
    /// Both.
    Transceiver,
}

impl BindKind {
    /// The number of the request.
    pub fn id(self) -> CommandId {
        match self {
            BindKind::Transmitter => CommandId::BindTransmitter,
            BindKind::Receiver => CommandId::BindReceiver,
            BindKind::Transceiver => CommandId::BindTransceiver,
        }
    }

    /// Whether messages may be submitted.
    pub fn transmits(self) -> bool {
        self != BindKind::Receiver
    }

    /// Whether messages and receipts may be delivered.
    pub fn receives(self) -> bool {
        self != BindKind::Transmitter
    }
}

/// A request to bind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bind<'a> {
    /// For what.
    pub kind: BindKind,
    /// Who binds.
    pub system_id: &'a [u8],
    /// Their password; 8 octets by the standard, more in practice.
    pub password: &'a [u8],
    /// What kind of system it is.
    pub system_type: &'a [u8],
    /// The version they speak, 0x34 for 3.4.
    pub interface_version: u8,
    /// The addresses they serve.
    pub range: Address<'a>,
}

/// A number or a name, and how to read it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Address<'a> {
    /// Type of number: 1 international, 5 alphanumeric, 0 unknown, ...
    pub ton: u8,
    /// Numbering plan: 1 telephone numbers, 0 unknown, ...
    pub npi: u8,
    /// The digits or the name.
    pub digits: &'a [u8],
}

/// A `submit_sm`, `deliver_sm` or `data_sm`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShortMessage<'a> {
    /// Which service; mostly empty.
    pub service_type: &'a [u8],
    /// Who it is from.
    pub source: Address<'a>,
    /// To whom.
    pub destination: Address<'a>,
    /// The kind of message, see [`ESM_UDH`], [`ESM_KIND`].
    pub esm_class: u8,
    /// For the network.
    pub protocol_id: u8,
    /// 0 to 3.
    pub priority_flag: u8,
    /// When to deliver it; empty is now.
    pub schedule_delivery_time: &'a [u8],
    /// How long to try; empty is as the SMSC likes.
    pub validity_period: &'a [u8],
    /// Which receipts are wanted; bit 0 all, bit 1 failures only.
    pub registered_delivery: u8,
    /// Whether it replaces an earlier one.
    pub replace_if_present: u8,
    /// The alphabet and class, by 3GPP TS 23.038.
    pub data_coding: u8,
    /// A text the SMSC keeps; 0 is none.
    pub default_message_id: u8,
    /// The text, its header in front when [`ESM_UDH`] is set. Beyond 255 octets it is written as
    /// a `message_payload`.
    pub short_message: &'a [u8],
    /// The optional parameters as they are on the wire, see [`Tlvs`] and [`put_tlv`].
    pub tlvs: &'a [u8],
}

impl<'a> ShortMessage<'a> {
    /// The text, wherever it is: `short_message`, or `message_payload` when that is empty.
    pub fn octets(&self) -> &'a [u8] {
        match self.short_message {
            [] => self.tlv(tag::MESSAGE_PAYLOAD).unwrap_or_default(),
            octets => octets,
        }
    }

    /// The value of the first optional parameter of this number.
    pub fn tlv(&self, tag: u16) -> Option<&'a [u8]> {
        Tlvs(self.tlvs).find(|(t, _)| *t == tag).map(|(_, value)| value)
    }

    /// Whether it tells what became of another message, by its class or by naming that message.
    ///
    /// A text alone does not make a receipt, however much it looks like one: a handset could send
    /// it and so declare somebody else's message delivered.
    pub fn is_receipt(&self) -> bool {
        matches!(self.esm_class & ESM_KIND, ESM_RECEIPT | ESM_INTERMEDIATE)
            || self.tlv(tag::RECEIPTED_MESSAGE_ID).is_some()
    }

    /// Appends it as a `submit_sm` (`id` [`CommandId::SubmitSm`]) or `deliver_sm`.
    pub fn write(&self, id: CommandId, sequence_number: u32, out: &mut Vec<u8>) {
        let start = begin(out, id, Status::OK, sequence_number);
        put_text(out, self.service_type);
        self.source.put(out);
        self.destination.put(out);
        out.extend_from_slice(&[self.esm_class, self.protocol_id, self.priority_flag]);
        put_text(out, self.schedule_delivery_time);
        put_text(out, self.validity_period);
        out.extend_from_slice(&[self.registered_delivery, self.replace_if_present]);
        out.extend_from_slice(&[self.data_coding, self.default_message_id]);
        match u8::try_from(self.short_message.len()) {
            Ok(length) => {
                out.push(length);
                out.extend_from_slice(self.short_message);
            }
            Err(_) => {
                out.push(0);
                put_tlv(out, tag::MESSAGE_PAYLOAD, self.short_message);
            }
        }
        out.extend_from_slice(self.tlvs);
        finish(out, start);
    }
}

impl Address<'_> {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[self.ton, self.npi]);
        put_text(out, self.digits);
    }
}

impl Bind<'_> {
    /// Appends it.
    pub fn write(&self, sequence_number: u32, out: &mut Vec<u8>) {
        let start = begin(out, self.kind.id(), Status::OK, sequence_number);
        put_text(out, self.system_id);
        put_text(out, self.password);
        put_text(out, self.system_type);
        out.push(self.interface_version);
        self.range.put(out);
        finish(out, start);
    }
}

/// Appends the answer to a bind; a refused one has no body.
pub fn put_bind_resp(
    out: &mut Vec<u8>,
    kind: BindKind,
    status: Status,
    sequence_number: u32,
    system_id: &[u8],
) {
    let start = begin(out, kind.id().matching_response(), status, sequence_number);
    if status.is_ok() {
        put_text(out, system_id);
        put_tlv(out, tag::SC_INTERFACE_VERSION, &[INTERFACE_VERSION]);
    }
    finish(out, start);
}

/// Appends a `submit_sm_resp` that takes the message under this id.
pub fn put_submit_resp(out: &mut Vec<u8>, sequence_number: u32, message_id: &[u8]) {
    put_id_resp(out, CommandId::SubmitSmResp, sequence_number, message_id);
}

/// Appends a `deliver_sm_resp` that takes the message.
pub fn put_deliver_resp(out: &mut Vec<u8>, sequence_number: u32) {
    put_id_resp(out, CommandId::DeliverSmResp, sequence_number, b"");
}

/// Appends a `data_sm_resp` that takes the message.
pub fn put_data_resp(out: &mut Vec<u8>, sequence_number: u32, message_id: &[u8]) {
    put_id_resp(out, CommandId::DataSmResp, sequence_number, message_id);
}

fn put_id_resp(out: &mut Vec<u8>, id: CommandId, sequence_number: u32, message_id: &[u8]) {
    let start = begin(out, id, Status::OK, sequence_number);
    put_text(out, message_id);
    finish(out, start);
}

/// Appends a PDU without a body: `enquire_link`, `unbind`, their answers, `generic_nack`, and every
/// answer that refuses.
pub fn put_header(out: &mut Vec<u8>, id: CommandId, status: Status, sequence_number: u32) {
    let start = begin(out, id, status, sequence_number);
    finish(out, start);
}

/// Appends an optional parameter. A value of more than 65 535 octets is cut.
pub fn put_tlv(out: &mut Vec<u8>, tag: u16, value: &[u8]) {
    let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&tag.to_be_bytes());
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&value[..usize::from(length)]);
}

fn begin(out: &mut Vec<u8>, id: CommandId, status: Status, sequence_number: u32) -> usize {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&u32::from(id).to_be_bytes());
    out.extend_from_slice(&status.0.to_be_bytes());
    out.extend_from_slice(&sequence_number.to_be_bytes());
    start
}

fn finish(out: &mut [u8], start: usize) {
    // What is written here is far below 4 GiB: texts are short and values are cut at 64 KiB.
    let length = u32::try_from(out.len() - start).unwrap_or(u32::MAX);
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

/// A string of SMPP ends with its first zero, so one inside it would move every field behind it.
fn put_text(out: &mut Vec<u8>, text: &[u8]) {
    let end = text.iter().position(|octet| *octet == 0).unwrap_or(text.len());
    out.extend_from_slice(&text[..end]);
    out.push(0);
}

/// The optional parameters in a piece of wire, in order; stops at the first that is cut off.
#[derive(Clone, Copy, Debug)]
pub struct Tlvs<'a>(pub &'a [u8]);

impl<'a> Iterator for Tlvs<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let [t1, t2, l1, l2, rest @ ..] = self.0 else { return None };
        let length = usize::from(u16::from_be_bytes([*l1, *l2]));
        let value = rest.get(..length)?;
        self.0 = &rest[length..];
        Some((u16::from_be_bytes([*t1, *t2]), value))
    }
}

impl<'a> Pdu<'a> {
    /// Reads the body of a frame.
    ///
    /// # Errors
    /// [`Malformed`] when a field that matters is missing. The peer is owed an answer that says so;
    /// the session can go on.
    pub fn read(frame: &Frame<'a>) -> Result<Pdu<'a>, Malformed> {
        let mut body = Reader(frame.body);
        Ok(match frame.header.id {
            CommandId::SubmitSm => Pdu::Submit(body.short_message()?),
            CommandId::SubmitSmResp => Pdu::SubmitResp { message_id: body.lenient_text() },
            CommandId::DeliverSm => Pdu::Deliver(body.short_message()?),
            CommandId::DeliverSmResp => Pdu::DeliverResp,
            CommandId::DataSm => Pdu::Data(body.data()?),
            CommandId::DataSmResp => Pdu::DataResp { message_id: body.lenient_text() },
            CommandId::EnquireLink => Pdu::EnquireLink,
            CommandId::EnquireLinkResp => Pdu::EnquireLinkResp,
            CommandId::Unbind => Pdu::Unbind,
            CommandId::UnbindResp => Pdu::UnbindResp,
            CommandId::GenericNack => Pdu::GenericNack,
            CommandId::BindTransmitter => Pdu::Bind(body.bind(BindKind::Transmitter)?),
            CommandId::BindReceiver => Pdu::Bind(body.bind(BindKind::Receiver)?),
            CommandId::BindTransceiver => Pdu::Bind(body.bind(BindKind::Transceiver)?),
            CommandId::BindTransmitterResp => Pdu::BindResp(BindKind::Transmitter),
            CommandId::BindReceiverResp => Pdu::BindResp(BindKind::Receiver),
            CommandId::BindTransceiverResp => Pdu::BindResp(BindKind::Transceiver),
            CommandId::Other(_) => Pdu::Unknown,
            _ => Pdu::Other(Box::new(by_rusmpp(frame)?)),
        })
    }
}

/// Reads a frame with rusmpp, strictly.
fn by_rusmpp(frame: &Frame<'_>) -> Result<rusmpp::Command, Malformed> {
    let mut octets = bytes::BytesMut::with_capacity(HEADER_OCTETS + frame.body.len());
    for word in [u32::from(frame.header.id), frame.header.status.0, frame.header.sequence_number] {
        octets.extend_from_slice(&word.to_be_bytes());
    }
    octets.extend_from_slice(frame.body);
    let length = octets.len();
    match rusmpp::Command::decode(&mut octets, length) {
        Ok((command, _)) => Ok(command),
        Err(_) => Err(Malformed("a field")),
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn octet(&mut self, field: &'static str) -> Result<u8, Malformed> {
        let (first, rest) = self.0.split_first().ok_or(Malformed(field))?;
        self.0 = rest;
        Ok(*first)
    }

    fn text(&mut self, field: &'static str) -> Result<&'a [u8], Malformed> {
        let end = self.0.iter().position(|octet| *octet == 0).ok_or(Malformed(field))?;
        let text = &self.0[..end];
        self.0 = &self.0[end + 1..];
        Ok(text)
    }

    /// A string at the end of a body, which some never end and some leave out.
    fn lenient_text(&mut self) -> &'a [u8] {
        let end = self.0.iter().position(|octet| *octet == 0).unwrap_or(self.0.len());
        let text = &self.0[..end];
        self.0 = &self.0[(end + 1).min(self.0.len())..];
        text
    }

    fn address(&mut self, field: &'static str) -> Result<Address<'a>, Malformed> {
        Ok(Address { ton: self.octet(field)?, npi: self.octet(field)?, digits: self.text(field)? })
    }

    fn bind(&mut self, kind: BindKind) -> Result<Bind<'a>, Malformed> {
        let system_id = self.text("system_id")?;
        let password = self.text("password")?;
        let system_type = self.text("system_type")?;
        let interface_version = self.octet("interface_version")?;
        // Some leave out the range of addresses, which nobody uses.
        let range = self.address("address_range").unwrap_or_default();
        Ok(Bind { kind, system_id, password, system_type, interface_version, range })
    }

    fn short_message(&mut self) -> Result<ShortMessage<'a>, Malformed> {
        let mut message = ShortMessage {
            service_type: self.text("service_type")?,
            source: self.address("source_addr")?,
            destination: self.address("destination_addr")?,
            esm_class: self.octet("esm_class")?,
            protocol_id: self.octet("protocol_id")?,
            priority_flag: self.octet("priority_flag")?,
            schedule_delivery_time: self.text("schedule_delivery_time")?,
            validity_period: self.text("validity_period")?,
            registered_delivery: self.octet("registered_delivery")?,
            replace_if_present: self.octet("replace_if_present_flag")?,
            data_coding: self.octet("data_coding")?,
            default_message_id: self.octet("sm_default_msg_id")?,
            ..ShortMessage::default()
        };
        let length = usize::from(self.octet("sm_length")?);
        message.short_message = self.0.get(..length).ok_or(Malformed("short_message"))?;
        message.tlvs = &self.0[length..];
        Ok(message)
    }

    fn data(&mut self) -> Result<ShortMessage<'a>, Malformed> {
        Ok(ShortMessage {
            service_type: self.text("service_type")?,
            source: self.address("source_addr")?,
            destination: self.address("destination_addr")?,
            esm_class: self.octet("esm_class")?,
            registered_delivery: self.octet("registered_delivery")?,
            data_coding: self.octet("data_coding")?,
            tlvs: self.0,
            ..ShortMessage::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use proptest::prelude::*;
    use rusmpp::encode::{Encode, Length};
    use rusmpp::pdus as theirs;
    use rusmpp::types::{COctetString, EmptyOrFullCOctetString, OctetString};
    use rusmpp::values::{
        DataCoding, EsmClass, InterfaceVersion, Npi, PriorityFlag, RegisteredDelivery, ServiceType, Ton,
    };

    use super::*;
    use crate::frame::Frames;

    fn frame_of(octets: &[u8]) -> Frame<'_> {
        Frames::new(octets).next().unwrap().unwrap()
    }

    /// The PDU as rusmpp writes it, its length in front as its codec puts it.
    fn by_them(status: u32, sequence_number: u32, pdu: impl Into<rusmpp::Pdu>) -> Vec<u8> {
        let command = rusmpp::Command::new(status.into(), sequence_number, pdu);
        let mut octets = vec![0; 4 + command.length()];
        let length = u32::try_from(octets.len()).unwrap();
        octets[..4].copy_from_slice(&length.to_be_bytes());
        let written = command.encode(&mut octets[4..]);
        assert_eq!(written + 4, octets.len());
        octets
    }

    fn text<const MAX: usize>(text: &[u8]) -> COctetString<1, MAX> {
        COctetString::from_str(std::str::from_utf8(text).unwrap()).unwrap()
    }

    fn their_submit(m: &ShortMessage<'_>) -> theirs::SubmitSm {
        theirs::SubmitSm::builder()
            .service_type(ServiceType::default())
            .source_addr_ton(Ton::from(m.source.ton))
            .source_addr_npi(Npi::from(m.source.npi))
            .source_addr(text(m.source.digits))
            .dest_addr_ton(Ton::from(m.destination.ton))
            .dest_addr_npi(Npi::from(m.destination.npi))
            .destination_addr(text(m.destination.digits))
            .esm_class(EsmClass::from(m.esm_class))
            .protocol_id(m.protocol_id)
            .priority_flag(PriorityFlag::from(m.priority_flag))
            .validity_period(
                EmptyOrFullCOctetString::from_str(std::str::from_utf8(m.validity_period).unwrap()).unwrap(),
            )
            .registered_delivery(RegisteredDelivery::from(m.registered_delivery))
            .data_coding(DataCoding::from(m.data_coding))
            .short_message(OctetString::from_slice(m.short_message).unwrap())
            .build()
    }

    fn message<'a>(digits: &'a [u8], octets: &'a [u8]) -> ShortMessage<'a> {
        ShortMessage {
            source: Address { ton: 5, npi: 0, digits: b"BRANCH" },
            destination: Address { ton: 1, npi: 1, digits },
            esm_class: ESM_UDH,
            registered_delivery: 1,
            validity_period: b"000002000000000R",
            data_coding: 8,
            short_message: octets,
            ..Default::default()
        }
    }

    #[test]
    fn what_is_written_here_is_what_rusmpp_writes() {
        let mut ours = Vec::new();
        let submit = message(b"4915100000001", b"\x05\0\x03\x07\x02\x01Hi");
        submit.write(CommandId::SubmitSm, 7, &mut ours);
        assert_eq!(ours, by_them(0, 7, their_submit(&submit)));

        let cases: Vec<(&str, Vec<u8>, Vec<u8>)> = vec![
            (
                "submit_sm_resp",
                written(|out| put_submit_resp(out, 9, b"1a2b")),
                by_them(0, 9, theirs::SubmitSmResp::builder().message_id(text(b"1a2b")).build()),
            ),
            (
                "deliver_sm_resp",
                written(|out| put_deliver_resp(out, 9)),
                by_them(0, 9, theirs::DeliverSmResp::builder().build()),
            ),
            (
                "enquire_link",
                written(|out| put_header(out, CommandId::EnquireLink, Status::OK, 3)),
                by_them(0, 3, rusmpp::Pdu::EnquireLink),
            ),
            (
                "enquire_link_resp",
                written(|out| put_header(out, CommandId::EnquireLinkResp, Status::OK, 3)),
                by_them(0, 3, rusmpp::Pdu::EnquireLinkResp),
            ),
            (
                "unbind",
                written(|out| put_header(out, CommandId::Unbind, Status::OK, 3)),
                by_them(0, 3, rusmpp::Pdu::Unbind),
            ),
            (
                "generic_nack",
                written(|out| put_header(out, CommandId::GenericNack, Status(3), 8)),
                by_them(3, 8, rusmpp::Pdu::GenericNack),
            ),
            (
                "bind",
                written(|out| our_bind().write(1, out)),
                by_them(
                    0,
                    1,
                    theirs::BindTransceiver::builder()
                        .system_id(text(b"branch"))
                        .password(text(b"secret"))
                        .system_type(text(b"sms"))
                        .interface_version(InterfaceVersion::Smpp3_4)
                        .build(),
                ),
            ),
            (
                "bind_resp",
                written(|out| put_bind_resp(out, BindKind::Transceiver, Status::OK, 1, b"smsc")),
                by_them(
                    0,
                    1,
                    theirs::BindTransceiverResp::builder()
                        .system_id(text(b"smsc"))
                        .sc_interface_version(Some(InterfaceVersion::Smpp3_4))
                        .build(),
                ),
            ),
        ];
        for (name, ours, theirs) in cases {
            assert_eq!(ours, theirs, "{name}");
        }
    }

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out);
        out
    }

    fn our_bind() -> Bind<'static> {
        Bind {
            kind: BindKind::Transceiver,
            system_id: b"branch",
            password: b"secret",
            system_type: b"sms",
            interface_version: INTERFACE_VERSION,
            range: Address::default(),
        }
    }

    #[test]
    fn what_rusmpp_refuses_and_carriers_send_is_read() {
        let id = [b'7'; 200];
        let long = written(|out| put_submit_resp(out, 1, &id));
        assert_eq!(Pdu::read(&frame_of(&long)), Ok(Pdu::SubmitResp { message_id: &id }));

        let raw = |id: CommandId, body: &[u8]| {
            let mut out = Vec::new();
            let start = begin(&mut out, id, Status::OK, 1);
            out.extend_from_slice(body);
            finish(&mut out, start);
            out
        };
        #[rustfmt::skip]
        let ids: [(&[u8], &[u8]); 4] = [
            (b"",           b""),
            (b"abc",        b"abc"),
            (b"abc\0",      b"abc"),
            (b"abc\0\x01",  b"abc"),
        ];
        for (body, message_id) in ids {
            let octets = raw(CommandId::SubmitSmResp, body);
            assert_eq!(Pdu::read(&frame_of(&octets)), Ok(Pdu::SubmitResp { message_id }));
        }

        let digits = [b'1'; 40];
        let mut tlvs = Vec::new();
        put_tlv(&mut tlvs, tag::MESSAGE_STATE, &[2, 0, 0]);
        put_tlv(&mut tlvs, tag::RECEIPTED_MESSAGE_ID, b"x");
        tlvs.extend_from_slice(&[0x04, 0x24, 0xFF, 0xFF, 1]);
        let wild = ShortMessage { tlvs: &tlvs, ..message(&digits, b"hello") };
        let octets = written(|out| wild.write(CommandId::DeliverSm, 1, out));
        let Ok(Pdu::Deliver(read)) = Pdu::read(&frame_of(&octets)) else { panic!("not read") };
        assert_eq!(read, wild);
        assert_eq!(read.tlv(tag::RECEIPTED_MESSAGE_ID), Some(&b"x"[..]));
        assert_eq!(read.tlv(tag::MESSAGE_PAYLOAD), None, "cut off");
    }

    #[test]
    fn a_body_cut_anywhere_before_its_text_ends_is_malformed() {
        let whole = written(|out| message(b"49151", b"hello").write(CommandId::SubmitSm, 1, out));
        for end in HEADER_OCTETS..whole.len() {
            let frame = Frame { header: frame_of(&whole).header, body: &whole[HEADER_OCTETS..end] };
            assert!(Pdu::read(&frame).is_err(), "cut at {end}");
        }
        assert!(Pdu::read(&frame_of(&whole)).is_ok());
    }

    #[test]
    fn a_long_text_goes_as_payload_and_is_found_there() {
        let octets = vec![b'x'; 300];
        let out = written(|out| message(b"49151", &octets).write(CommandId::SubmitSm, 1, out));
        let Ok(Pdu::Submit(read)) = Pdu::read(&frame_of(&out)) else { panic!("not read") };
        assert!(read.short_message.is_empty());
        assert_eq!(read.octets(), octets);
    }

    #[test]
    fn a_zero_inside_a_string_does_not_move_the_fields_behind_it() {
        let out = written(|out| message(b"49\x00151", b"hello").write(CommandId::SubmitSm, 1, out));
        let Ok(Pdu::Submit(read)) = Pdu::read(&frame_of(&out)) else { panic!("not read") };
        assert_eq!(read.destination.digits, b"49");
        assert_eq!(read.short_message, b"hello");
    }

    #[test]
    fn only_its_class_or_a_parameter_makes_a_receipt() {
        let mut tlvs = Vec::new();
        put_tlv(&mut tlvs, tag::RECEIPTED_MESSAGE_ID, b"1");
        let text = b"id:1 stat:DELIVRD err:000";
        #[rustfmt::skip]
        let cases: [(u8, &[u8], bool); 6] = [
            (0x00, b"",   false),
            (0x40, b"",   false),
            (0x04, b"",   true),
            (0x44, b"",   true),
            (0x20, b"",   true),
            (0x00, &tlvs, true),
        ];
        for (esm_class, tlvs, receipt) in cases {
            let message = ShortMessage { esm_class, tlvs, short_message: text, ..Default::default() };
            assert_eq!(message.is_receipt(), receipt, "{esm_class:#x}");
        }
    }

    #[test]
    fn what_comes_rarely_is_read_by_rusmpp() {
        let query = theirs::QuerySm::builder().message_id(text(b"77")).build();
        let octets = by_them(0, 4, query.clone());
        let Ok(Pdu::Other(command)) = Pdu::read(&frame_of(&octets)) else { panic!("not read") };
        assert_eq!(command.pdu(), Some(&rusmpp::Pdu::QuerySm(query)));
    }

    /// Every number rusmpp knows, and one it does not.
    const IDS: [u32; 32] = [
        1,
        2,
        3,
        4,
        5,
        6,
        7,
        8,
        9,
        0x0B,
        0x15,
        0x21,
        0x102,
        0x103,
        0x111,
        0x112,
        0x113,
        0x8000_0000,
        0x8000_0001,
        0x8000_0002,
        0x8000_0003,
        0x8000_0004,
        0x8000_0005,
        0x8000_0006,
        0x8000_0007,
        0x8000_0008,
        0x8000_0009,
        0x8000_0015,
        0x8000_0021,
        0x8000_0103,
        0x8000_0111,
        0x1234,
    ];

    proptest! {
        #[test]
        fn no_body_makes_the_reader_stumble(
            id in prop::sample::select(IDS.to_vec()), status in any::<u32>(),
            body in prop::collection::vec(prop_oneof![3 => Just(0_u8), 2 => any::<u8>(), 1 => 0x20..0x7F_u8], 0..300),
        ) {
            let header = crate::Header { id: id.into(), status: Status(status), sequence_number: 1 };
            if let Ok(Pdu::Submit(m) | Pdu::Deliver(m) | Pdu::Data(m)) = Pdu::read(&Frame { header, body: &body }) {
                // What is read lies within what came: nothing is made larger than the frame.
                prop_assert!(m.octets().len() + m.source.digits.len() <= body.len());
                crate::receipt::Receipt::read(&m);
            }
        }

        #[test]
        fn what_rusmpp_writes_is_read_here_and_the_other_way_round(
            digits in "[0-9]{0,20}", octets in prop::collection::vec(any::<u8>(), 0..255),
            esm_class in prop::sample::select(vec![0_u8, 0x40, 0x03, 0x43]), data_coding in any::<u8>(),
            sequence_number in 1_u32..0x7FFF_FFFF,
        ) {
            let ours = ShortMessage { esm_class, data_coding, ..message(digits.as_bytes(), &octets) };
            let by_us = written(|out| ours.write(CommandId::SubmitSm, sequence_number, out));
            prop_assert_eq!(&by_us, &by_them(0, sequence_number, their_submit(&ours)));
            prop_assert_eq!(Pdu::read(&frame_of(&by_us)), Ok(Pdu::Submit(ours)));
            prop_assert!(by_rusmpp(&frame_of(&by_us)).is_ok());
        }
    }
}
