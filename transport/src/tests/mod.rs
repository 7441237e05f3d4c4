//! Endpoints that really talk, over the loopback interface.
//!
//! | file | promises |
//! |---|---|
//! | `links` | frames, order, priorities, back-pressure, moving |
//! | `hostile` | strangers, impostors, malformed lanes, floods |
//! | `pairing` | wrong codes, replays, a man in the middle |
//! | `relay` | the way through a third member, and what it cannot do |

mod fixture;
mod hostile;
mod links;
mod pairing;
mod relay;
