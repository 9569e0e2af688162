"""What a modem makes of an SNR: modulation, coding, link adaptation, and the packets that it damages."""
