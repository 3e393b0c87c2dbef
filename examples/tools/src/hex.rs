//! Bytes as hexadecimal digits.

use std::fmt::Write as _;

/// Reads pairs of digits, which white space and colons may separate: `00 1f`, `00:1f`, `001f`.
pub(crate) fn parse(text: &[u8]) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(text.len() / 2);
    let mut high = None;
    for (at, &character) in text.iter().enumerate() {
        if matches!(character, b' ' | b'\t' | b'\r' | b'\n' | b':') {
            continue;
        }
        let digit = char::from(character)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok());
        let Some(digit) = digit else {
            let character = character.escape_ascii();
            return Err(format!(
                "malformed hex: '{character}' at character {}",
                at + 1
            ));
        };
        match high.take() {
            None => high = Some(digit),
            Some(high) => bytes.push(high << 4 | digit),
        }
    }
    match high {
        None => Ok(bytes),
        Some(_) => Err("malformed hex: odd number of digits".to_owned()),
    }
}

/// Digits of the bytes, without separators.
pub(crate) fn digits(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Lines of 16 bytes with their offset and their text, as `hexdump -C` prints them.
pub(crate) fn dump(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (row, bytes) in bytes.chunks(16).enumerate() {
        let _ = write!(text, "{:08x} ", row * 16);
        for column in 0..16 {
            let gap = if column == 8 { " " } else { "" };
            let _ = match bytes.get(column) {
                Some(byte) => write!(text, "{gap} {byte:02x}"),
                None => write!(text, "{gap}   "),
            };
        }
        let shown = bytes.iter().map(|byte| match byte {
            b' '..=b'~' => char::from(*byte),
            _ => '.',
        });
        let _ = writeln!(text, "  |{}|", shown.collect::<String>());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_of_digits_are_read() {
        for text in ["001fFF", "00 1f ff", "00:1f:ff", " 0 01f\tff\r"] {
            assert_eq!(parse(text.as_bytes()), Ok(vec![0, 0x1f, 0xff]), "{text:?}");
        }
        assert_eq!(parse(b""), Ok(vec![]));
    }

    #[test]
    fn other_text_is_refused_with_its_place() {
        assert_eq!(
            parse(b"00 1"),
            Err("malformed hex: odd number of digits".to_owned())
        );
        assert_eq!(
            parse(b"00 xy"),
            Err("malformed hex: 'x' at character 4".to_owned())
        );
        assert_eq!(
            parse(b"\xff"),
            Err("malformed hex: '\\xff' at character 1".to_owned())
        );
    }

    #[test]
    fn dump_has_offsets_and_text() {
        let bytes: Vec<u8> = (0x3c..0x4e).collect();
        let first =
            "00000000  3c 3d 3e 3f 40 41 42 43  44 45 46 47 48 49 4a 4b  |<=>?@ABCDEFGHIJK|";
        let second = format!("{:<60}|LM|", "00000010  4c 4d");
        assert_eq!(dump(&bytes), format!("{first}\n{second}\n"));
        assert_eq!(digits(&bytes[..3]), "3c3d3e");
    }
}
