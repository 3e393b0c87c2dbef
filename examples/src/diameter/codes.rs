//! Numbers that RFC 6733 gives to commands, AVPs and results.

/// Commands.
pub mod command {
    /// Accounting.
    pub const ACCOUNTING: u32 = 271;
    /// Capabilities-Exchange.
    pub const CAPABILITIES_EXCHANGE: u32 = 257;
    /// Device-Watchdog.
    pub const DEVICE_WATCHDOG: u32 = 280;
    /// Disconnect-Peer.
    pub const DISCONNECT_PEER: u32 = 282;
}

/// Codes of AVPs.
pub mod avp {
    /// Accounting-Record-Number.
    pub const ACCOUNTING_RECORD_NUMBER: u32 = 485;
    /// Accounting-Record-Type.
    pub const ACCOUNTING_RECORD_TYPE: u32 = 480;
    /// Acct-Application-Id.
    pub const ACCT_APPLICATION_ID: u32 = 259;
    /// Auth-Application-Id.
    pub const AUTH_APPLICATION_ID: u32 = 258;
    /// Destination-Host.
    pub const DESTINATION_HOST: u32 = 293;
    /// Destination-Realm.
    pub const DESTINATION_REALM: u32 = 283;
    /// Disconnect-Cause.
    pub const DISCONNECT_CAUSE: u32 = 273;
    /// Error-Message.
    pub const ERROR_MESSAGE: u32 = 281;
    /// Failed-AVP.
    pub const FAILED_AVP: u32 = 279;
    /// Firmware-Revision.
    pub const FIRMWARE_REVISION: u32 = 267;
    /// Host-IP-Address.
    pub const HOST_IP_ADDRESS: u32 = 257;
    /// Inband-Security-Id.
    pub const INBAND_SECURITY_ID: u32 = 299;
    /// Origin-Host.
    pub const ORIGIN_HOST: u32 = 264;
    /// Origin-Realm.
    pub const ORIGIN_REALM: u32 = 296;
    /// Origin-State-Id.
    pub const ORIGIN_STATE_ID: u32 = 278;
    /// Product-Name.
    pub const PRODUCT_NAME: u32 = 269;
    /// Result-Code.
    pub const RESULT_CODE: u32 = 268;
    /// Session-Id.
    pub const SESSION_ID: u32 = 263;
    /// Proxy-Info.
    pub const PROXY_INFO: u32 = 284;
    /// Vendor-Id.
    pub const VENDOR_ID: u32 = 266;
    /// Vendor-Specific-Application-Id.
    pub const VENDOR_SPECIFIC_APPLICATION_ID: u32 = 260;
}

/// Result-Codes (section 7.1).
pub mod result {
    /// DIAMETER_APPLICATION_UNSUPPORTED.
    pub const APPLICATION_UNSUPPORTED: u32 = 3007;
    /// DIAMETER_AVP_OCCURS_TOO_MANY_TIMES.
    pub const AVP_OCCURS_TOO_MANY_TIMES: u32 = 5009;
    /// DIAMETER_AVP_UNSUPPORTED.
    pub const AVP_UNSUPPORTED: u32 = 5001;
    /// DIAMETER_COMMAND_UNSUPPORTED.
    pub const COMMAND_UNSUPPORTED: u32 = 3001;
    /// DIAMETER_ELECTION_LOST.
    pub const ELECTION_LOST: u32 = 4003;
    /// DIAMETER_INVALID_AVP_BITS.
    pub const INVALID_AVP_BITS: u32 = 3009;
    /// DIAMETER_INVALID_AVP_LENGTH.
    pub const INVALID_AVP_LENGTH: u32 = 5014;
    /// DIAMETER_INVALID_AVP_VALUE.
    pub const INVALID_AVP_VALUE: u32 = 5004;
    /// DIAMETER_INVALID_HDR_BITS.
    pub const INVALID_HDR_BITS: u32 = 3008;
    /// DIAMETER_INVALID_MESSAGE_LENGTH.
    pub const INVALID_MESSAGE_LENGTH: u32 = 5015;
    /// DIAMETER_MISSING_AVP.
    pub const MISSING_AVP: u32 = 5005;
    /// DIAMETER_NO_COMMON_APPLICATION.
    pub const NO_COMMON_APPLICATION: u32 = 5010;
    /// DIAMETER_NO_COMMON_SECURITY.
    pub const NO_COMMON_SECURITY: u32 = 5017;
    /// DIAMETER_REALM_NOT_SERVED.
    pub const REALM_NOT_SERVED: u32 = 3003;
    /// DIAMETER_SUCCESS.
    pub const SUCCESS: u32 = 2001;
    /// DIAMETER_UNABLE_TO_DELIVER.
    pub const UNABLE_TO_DELIVER: u32 = 3002;
    /// DIAMETER_UNKNOWN_PEER.
    pub const UNKNOWN_PEER: u32 = 3010;
    /// DIAMETER_UNSUPPORTED_VERSION.
    pub const UNSUPPORTED_VERSION: u32 = 5011;

    /// Returns `true` for errors of the protocol, whose answers have the flag of errors.
    #[must_use]
    pub const fn is_protocol_error(result: u32) -> bool {
        result / 1000 == 3
    }
}
