//! The check of parcels between servers that fuzzers run: any bytes are one that is written as it was read, or none.

use crate::engine::parcel::{BadParcel, Parcel};

/// All bytes are one parcel.
///
/// # Panics
/// When what was read is not read back from its own bytes, or what is refused says nothing true about the bytes.
pub fn parcel(data: &[u8]) {
    match Parcel::decode(data) {
        Ok(parcel) => {
            let written = parcel.encode();
            assert_eq!(Parcel::decode(&written).expect("what was written is read"), parcel);
        }
        Err(BadParcel::TooLong(bytes)) => assert!(bytes == data.len() && bytes > Parcel::BYTES_MAX),
        Err(BadParcel::Version(version)) => assert!(data.first() == Some(&version) && version != 1),
        Err(BadParcel::Unreadable(_)) => assert!(data.first().is_none_or(|version| *version == 1)),
    }
}
