/* RMPGC's decoder for browsers: from range codes to latents in exact integers, from latents to pictures in floats.
   `progressive/codecs/rmpgc/` in Python is what it follows; `decoder.js` is its only caller. */

#include "memory.h"
#include "coder.h"
#include "exact.h"
#include "latent.h"
#include "walk.h"
#include "base.h"
#include "look.h"
#include "levels.h"
#include "floats.h"
#include "wavelet.h"
#include "lifting.h"
#include "picture.h"
#include "network.h"
