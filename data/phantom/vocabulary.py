"""What a slice can be called: its tags by category, and its finding."""

VERSION = '1.0.0'
MAX_TAGS = 16  # no slice reaches it
SLICES_PER_PATIENT = 4
SPLITS = ('train', 'valid', 'test')
PARTS = ('head', 'chest')
MODALITIES = ('mri_t1', 'mri_t2', 'mri_pd', 'ct')
WINDOWS = ('brain_window', 'lung_window', 'soft_window', 'bone_window')
HEAD_FINDINGS = ('tumour', 'stroke', 'haemorrhage')
CHEST_FINDINGS = ('nodule', 'effusion', 'consolidation')
FINDINGS = ('clear', *HEAD_FINDINGS, *CHEST_FINDINGS)

_GENERAL = (
    *PARTS, *MODALITIES, *WINDOWS, 'contrast', 'skull_stripped', 'atrophy', 'eyes', 'cerebellum',
    'ventricles', 'basal_ganglia', 'vertex', 'heart', 'aortic_arch', 'liver', 'scapula', 'breast',
    *HEAD_FINDINGS, *CHEST_FINDINGS)
_META = ('motion', 'rings', 'streaks')
TAG_NAMES = _GENERAL + _META
TAG_CATEGORIES = ('general',) * len(_GENERAL) + ('meta',) * len(_META)
INDEX = {name: index for index, name in enumerate(TAG_NAMES)}
