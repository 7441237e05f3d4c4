//! Checked by the compiler: secrets are wiped when dropped and cannot be printed.

use std::fmt::{Debug, Display};

use zeroize::ZeroizeOnDrop;

use super::{DeviceKey, EpochKey, Keyring, LockedUserKeys, UserKeyFile, UserKeys};

/// Does not compile when the type can be printed: two impls of `Printable` would then fit and `_` be ambiguous.
macro_rules! cannot_be_printed {
    ($($secret:ty),+) => {$(
        const _: fn() = || {
            trait Printable<Which> {
                fn probe() {}
            }
            impl<T: ?Sized> Printable<()> for T {}
            struct ByDebug;
            impl<T: ?Sized + Debug> Printable<ByDebug> for T {}
            struct ByDisplay;
            impl<T: ?Sized + Display> Printable<ByDisplay> for T {}
            let _ = <$secret as Printable<_>>::probe;
        };
    )+};
}

cannot_be_printed!(DeviceKey, UserKeys, EpochKey, Keyring, UserKeyFile, LockedUserKeys);

#[test]
fn secrets_are_wiped_when_dropped() {
    fn wiped<T: ZeroizeOnDrop>() {}
    wiped::<DeviceKey>();
    wiped::<UserKeys>();
    wiped::<EpochKey>();
    wiped::<Keyring>();
}
