//! `device.key`.

use ledger::keys::DeviceKey;

use super::{IdentityError, create, has_drive, read};
use crate::data_folder::DataFolder;
use crate::entropy;

/// The key of this device, made at the first start.
///
/// # Errors
/// [`IdentityError`]; a file that cannot be used is not touched, and one that is needed is not replaced.
pub fn open_or_make(folder: &DataFolder) -> Result<DeviceKey, IdentityError> {
    let path = folder.device_key();
    if let Some(file) = read(&path)? {
        return DeviceKey::from_file_bytes(&file).map_err(|source| IdentityError::File { path, source });
    }
    if has_drive(folder)? {
        return Err(IdentityError::DeviceMissing(path));
    }
    let key = DeviceKey::generate(&mut entropy::fill);
    create(&path, &key.to_file_bytes())?;
    Ok(key)
}
