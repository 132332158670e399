"""Where pixels come from: bumps, landmarks, affine maps and the sampling grid."""
