//! Counts and sizes as people write them.

pub(crate) use throughline::value::grouped as count;

/// So many of a thing: `1 row`, `1,234 rows`.
pub(crate) fn many(number: u64, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{} {thing}s", count(number)) }
}

/// Bytes as `512 B`, `3.4 MB`; a MB is 1,048,576 bytes.
pub(crate) fn bytes(number: u64) -> String {
    let mut value = number as f64;
    for unit in ["B", "KB", "MB", "GB"] {
        if value < 1_024.0 {
            return if unit == "B" { format!("{number} B") } else { format!("{value:.1} {unit}") };
        }
        value /= 1_024.0;
    }
    format!("{value:.1} TB")
}

/// Reads `512MB`, `2 GB`, `1048576`; a MB is 1,048,576 bytes.
pub(crate) fn parse_bytes(text: &str) -> Result<usize, String> {
    let text = text.trim();
    let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let factor = match unit.trim().to_lowercase().as_str() {
        "" | "b" => 1.0,
        "k" | "kb" | "kib" => 1_024.0,
        "m" | "mb" | "mib" => 1_048_576.0,
        "g" | "gb" | "gib" => 1_073_741_824.0,
        _ => return Err(format!("`{text}` is not a size: write one such as 512MB or 2GB")),
    };
    let number: f64 =
        number.parse().map_err(|_| format!("`{text}` is not a size: write one such as 512MB or 2GB"))?;
    let bytes = number * factor;
    if bytes < 16.0 * 1_048_576.0 {
        return Err(format!("{text} is too little to work in: give 16MB or more"));
    }
    Ok(bytes as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_sizes() {
        assert_eq!(
            (count(0), count(999), count(1_000), count(20_000_000)),
            ("0".into(), "999".into(), "1,000".into(), "20,000,000".into())
        );
        assert_eq!((bytes(512), bytes(3_565_158)), ("512 B".into(), "3.4 MB".into()));
        assert_eq!(parse_bytes("512MB"), Ok(512 << 20));
        assert_eq!(parse_bytes("1.5 GB"), Ok(3 << 29));
        assert!(
            parse_bytes("lots").is_err() && parse_bytes("12").is_err() && parse_bytes("12 bananas").is_err()
        );
    }
}
