//! Parameters of queries as they are written by hand.

use std::sync::Arc;

use throughline::{Params, Value};

/// Reads `name=value` (a `$` before the name is left out).
pub(crate) fn parse(text: &str) -> Result<(String, Value), String> {
    let Some((name, value)) = text.split_once('=') else {
        return Err(format!("`{text}` is not a parameter: write name=value"));
    };
    let name = name.trim().trim_start_matches('$');
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if name.is_empty() || !plain || name.as_bytes().first().is_some_and(u8::is_ascii_digit) {
        return Err(format!(
            "`{name}` cannot be the name of a parameter: letters, digits and _, no digit first"
        ));
    }
    Ok((name.to_owned(), typed(value)))
}

/// All of a command line.
pub(crate) fn parse_all(texts: &[String]) -> Result<Params, String> {
    let mut params = Params::new();
    for text in texts {
        let (name, value) = parse(text)?;
        if params.insert(name.clone(), value).is_some() {
            return Err(format!("the parameter `{name}` is given twice"));
        }
    }
    Ok(params)
}

/// The value a text looks like: a number, true, false, or text. Quotes make it text.
pub(crate) fn typed(text: &str) -> Value {
    let text = text.trim();
    for quote in ['"', '\''] {
        if let Some(inner) = text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
            return Value::Str(Arc::from(inner));
        }
    }
    // `007` is a key, not the number 7.
    let digits = text.trim_start_matches('-');
    let zero_led = digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.");
    let number_like = digits.as_bytes().first().is_some_and(u8::is_ascii_digit) && !zero_led;
    if number_like {
        if let Ok(number) = text.parse() {
            return Value::Int(number);
        }
        if let Some(number) = text.parse().ok().filter(|number: &f64| number.is_finite()) {
            return Value::Float(number);
        }
    }
    match text {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        text => Value::Str(Arc::from(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_by_their_look() {
        let check = |text: &str, expected: Value| assert_eq!(typed(text), expected, "{text}");
        check("42", Value::Int(42));
        check("-1.5", Value::Float(-1.5));
        check("0.5", Value::Float(0.5));
        check("true", Value::Bool(true));
        check("007", Value::Str("007".into()));
        check("\"42\"", Value::Str("42".into()));
        check("crm:42", Value::Str("crm:42".into()));
        check("7d", Value::Str("7d".into()));
        check("inf", Value::Str("inf".into()));
    }

    #[test]
    fn names() {
        assert_eq!(parse("$who=crm:42"), Ok(("who".into(), Value::Str("crm:42".into()))));
        assert_eq!(parse("a=b=c"), Ok(("a".into(), Value::Str("b=c".into()))));
        assert!(parse("who").is_err() && parse("=1").is_err() && parse("1a=1").is_err());
    }
}
