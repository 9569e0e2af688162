"""WebRTC data channels: a sender serves at an HTTP address, receivers and browsers join it there.

    receiver                                                   sender
    POST /whep   an offer (SDP) ───────────────────────────>  checks it, makes a connection
                 <───────────────── 201, an answer, Location
    channel 0, "media": unordered, nothing is sent again       packets of photos
    channel 1, "control": reliable, in order                   `end` there, reports back
    DELETE Location ────────────────────────────────────────>  the receiver has gone

The signalling has the shape of WHEP (draft-ietf-wish-whep) without media tracks: all candidates are in the offer and
the answer. Nobody else is asked, STUN and TURN servers only where they are named. Needs the extra `webrtc`.
"""
