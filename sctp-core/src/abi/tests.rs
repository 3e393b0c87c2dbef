//! Comparison of this module's numbers, and of the offsets in the notification decoders, with
//! `<linux/sctp.h>`.
//!
//! The tests compile a C program of static assertions.

use std::{fmt::Write as _, process::Command};

use super::{CONSTANTS, Description, LAYOUTS, options};

/// Layouts of notifications, of send parameters and of options with a variable length, which other
/// modules access by offset.
const OTHER_LAYOUTS: &[Description] = &[
    (
        "struct sctp_assoc_change",
        20,
        &[
            ("sac_type", 0, 2),
            ("sac_flags", 2, 2),
            ("sac_length", 4, 4),
            ("sac_state", 8, 2),
            ("sac_error", 10, 2),
            ("sac_outbound_streams", 12, 2),
            ("sac_inbound_streams", 14, 2),
            ("sac_assoc_id", 16, 4),
        ],
    ),
    (
        "struct sctp_paddr_change",
        148,
        &[
            ("spc_aaddr", 8, 128),
            ("spc_state", 136, 4),
            ("spc_error", 140, 4),
            ("spc_assoc_id", 144, 4),
        ],
    ),
    (
        "struct sctp_remote_error",
        16,
        &[("sre_error", 8, 2), ("sre_assoc_id", 12, 4)],
    ),
    (
        "struct sctp_send_failed",
        48,
        &[
            ("ssf_flags", 2, 2),
            ("ssf_error", 8, 4),
            ("ssf_info.sinfo_stream", 12, 2),
            ("ssf_info.sinfo_flags", 16, 2),
            ("ssf_info.sinfo_ppid", 20, 4),
            ("ssf_info.sinfo_context", 24, 4),
            ("ssf_assoc_id", 44, 4),
        ],
    ),
    (
        "struct sctp_send_failed_event",
        32,
        &[
            ("ssf_flags", 2, 2),
            ("ssf_error", 8, 4),
            ("ssfe_info.snd_sid", 12, 2),
            ("ssfe_info.snd_flags", 14, 2),
            ("ssfe_info.snd_ppid", 16, 4),
            ("ssfe_info.snd_context", 20, 4),
            ("ssf_assoc_id", 28, 4),
        ],
    ),
    ("struct sctp_shutdown_event", 12, &[("sse_assoc_id", 8, 4)]),
    (
        "struct sctp_adaptation_event",
        16,
        &[("sai_adaptation_ind", 8, 4), ("sai_assoc_id", 12, 4)],
    ),
    (
        "struct sctp_pdapi_event",
        24,
        &[
            ("pdapi_indication", 8, 4),
            ("pdapi_assoc_id", 12, 4),
            ("pdapi_stream", 16, 4),
            ("pdapi_seq", 20, 4),
        ],
    ),
    (
        "struct sctp_authkey_event",
        20,
        &[
            ("auth_keynumber", 8, 2),
            ("auth_altkeynumber", 10, 2),
            ("auth_indication", 12, 4),
            ("auth_assoc_id", 16, 4),
        ],
    ),
    (
        "struct sctp_sender_dry_event",
        12,
        &[("sender_dry_assoc_id", 8, 4)],
    ),
    (
        "struct sctp_stream_reset_event",
        12,
        &[("strreset_flags", 2, 2), ("strreset_assoc_id", 8, 4)],
    ),
    (
        "struct sctp_assoc_reset_event",
        20,
        &[
            ("assocreset_assoc_id", 8, 4),
            ("assocreset_local_tsn", 12, 4),
            ("assocreset_remote_tsn", 16, 4),
        ],
    ),
    (
        "struct sctp_stream_change_event",
        16,
        &[
            ("strchange_assoc_id", 8, 4),
            ("strchange_instrms", 12, 2),
            ("strchange_outstrms", 14, 2),
        ],
    ),
    (
        "struct sctp_sndinfo",
        16,
        &[
            ("snd_sid", 0, 2),
            ("snd_flags", 2, 2),
            ("snd_ppid", 4, 4),
            ("snd_context", 8, 4),
            ("snd_assoc_id", 12, 4),
        ],
    ),
    (
        "struct sctp_prinfo",
        8,
        &[("pr_policy", 0, 2), ("pr_value", 4, 4)],
    ),
    ("struct sctp_authinfo", 2, &[("auth_keynumber", 0, 2)]),
    ("struct sctp_authchunk", 1, &[("sauth_chunk", 0, 1)]),
    (
        "struct sctp_authkey",
        8,
        &[
            ("sca_assoc_id", 0, 4),
            ("sca_keynumber", 4, 2),
            ("sca_keylength", 6, 2),
        ],
    ),
    ("struct sctp_hmacalgo", 4, &[("shmac_num_idents", 0, 4)]),
    (
        "struct sctp_authchunks",
        8,
        &[("gauth_assoc_id", 0, 4), ("gauth_number_of_chunks", 4, 4)],
    ),
    ("struct sctp_assoc_ids", 4, &[("gaids_number_of_ids", 0, 4)]),
    (
        "struct sctp_reset_streams",
        8,
        &[
            ("srs_assoc_id", 0, 4),
            ("srs_flags", 4, 2),
            ("srs_number_streams", 6, 2),
        ],
    ),
    (
        "struct sctp_setadaptation",
        4,
        &[("ssb_adaptation_ind", 0, 4)],
    ),
    (
        "struct sockaddr_in",
        16,
        &[("sin_family", 0, 2), ("sin_port", 2, 2), ("sin_addr", 4, 4)],
    ),
    (
        "struct sockaddr_in6",
        28,
        &[
            ("sin6_family", 0, 2),
            ("sin6_port", 2, 2),
            ("sin6_flowinfo", 4, 4),
            ("sin6_addr", 8, 16),
            ("sin6_scope_id", 24, 4),
        ],
    ),
    ("struct sockaddr_storage", 128, &[]),
];

fn c_program() -> String {
    let mut c = String::from(
        "#include <stddef.h>\n#include <netinet/in.h>\n#include <sys/socket.h>\n#include <stdint.h>\n\
         #include <linux/sctp.h>\n#define CHECK(what) _Static_assert(what, #what)\n",
    );
    for (name, value) in CONSTANTS.iter().chain(options::CONSTANTS) {
        writeln!(c, "CHECK({name} == {value});").unwrap();
    }
    let layouts = LAYOUTS.iter().chain(options::LAYOUTS).chain(OTHER_LAYOUTS);
    for (name, size, fields) in layouts {
        writeln!(c, "CHECK(sizeof({name}) == {size});").unwrap();
        for (field, offset, len) in *fields {
            writeln!(c, "CHECK(offsetof({name}, {field}) == {offset});").unwrap();
            writeln!(c, "CHECK(sizeof((({name} *)0)->{field}) == {len});").unwrap();
        }
    }
    c
}

#[cfg_attr(miri, ignore = "runs a C compiler")]
#[test]
fn numbers_and_layouts_match_the_header() {
    let dir = std::env::temp_dir().join(format!("sctp-core-abi-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let source = dir.join("abi.c");
    std::fs::write(&source, c_program()).unwrap();
    let output = Command::new("cc")
        .args(["-fsyntax-only", "-Wall"])
        .arg(&source)
        .output()
        .expect("this test needs a C compiler (cc) and the kernel's headers (linux-libc-dev)");
    std::fs::remove_dir_all(&dir).unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
