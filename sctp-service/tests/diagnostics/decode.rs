//! A codec that decodes no such message.
//!
//! says: the codec `Codec` cannot decode `Order`
//! says: implement `DecodePayload<Order>` for `Codec`
use sctp_service::codec::DecodePayload;

pub struct Order;
pub struct Codec;

pub fn decode(payload: sctp_service::bytes::Bytes) {
    let _ = <Codec as DecodePayload<Order>>::decode(payload);
}
