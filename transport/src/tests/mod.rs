//! Endpoints that really talk, over the loopback interface.
//!
//! | file | promises |
//! |---|---|
//! | `links` | frames, order, priorities, back-pressure, moving |
//! | `hostile` | strangers, impostors, malformed lanes, floods |
//! | `pairing` | wrong codes, replays, a man in the middle |

mod fixture;
mod hostile;
mod links;
mod pairing;
