//! IP networks of `cidr`.

use std::net::IpAddr;
use tripwasm_plan::Cidr;

/// Why a text is no network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NetworkError {
    #[error("an address without prefix length")]
    NoPrefix,
    #[error("no IPv4 or IPv6 network")]
    Malformed,
}

/// A network, and whether the text had bits set behind the prefix.
pub(crate) fn parse(text: &str) -> Result<(Cidr, bool), NetworkError> {
    let Some((address, prefix)) = text.split_once('/') else {
        return Err(match text.parse::<IpAddr>() {
            Ok(_) => NetworkError::NoPrefix,
            Err(_) => NetworkError::Malformed,
        });
    };
    let address: IpAddr = address.parse().map_err(|_| NetworkError::Malformed)?;
    let digits = !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_digit());
    let prefix: u8 = prefix.parse().ok().filter(|_| digits).ok_or(NetworkError::Malformed)?;
    match address {
        IpAddr::V4(address) if prefix <= 32 => {
            let bits = address.to_bits();
            let masked = bits & u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
            Ok((Cidr::V4(masked, prefix), masked != bits))
        }
        IpAddr::V6(address) if prefix <= 128 => {
            let bits = address.to_bits();
            let masked = bits & u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
            Ok((Cidr::V6(masked, prefix), masked != bits))
        }
        _ => Err(NetworkError::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_masked() {
        assert_eq!(parse("10.1.2.3/8"), Ok((Cidr::V4(0x0a00_0000, 8), true)));
        assert_eq!(parse("0.0.0.0/0"), Ok((Cidr::V4(0, 0), false)));
        assert_eq!(parse("1.2.3.4/32"), Ok((Cidr::V4(0x0102_0304, 32), false)));
        assert_eq!(parse("::/0"), Ok((Cidr::V6(0, 0), false)));
        assert_eq!(parse("fe80::1/10"), Ok((Cidr::V6(0xfe80 << 112, 10), true)));
        assert_eq!(parse("10.0.0.1"), Err(NetworkError::NoPrefix));
        for text in ["10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/+8", "10.0/8", "x/8", ""] {
            assert_eq!(parse(text), Err(NetworkError::Malformed), "{text}");
        }
    }
}
