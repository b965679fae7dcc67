"""How bright a tissue is: signal of three MRI weightings in 0..1, and Hounsfield units of CT.

The numbers are those of a drawing, of the right order, with the relations of any atlas: in T1 fat
and white matter are bright and fluid dark; in T2 fluid is bright and white matter the darkest of
the brain; PD is flat.
"""

# name: T1, T2, PD, their grain; HU, its grain
_TABLE = {
    'nothing': (0, 0, 0, 0, -3000, 0),
    'air': (0.01, 0.01, 0.01, 0.002, -1000, 4),
    'skin': (0.62, 0.34, 0.60, 0.03, 40, 10),
    'fat': (0.96, 0.66, 0.80, 0.04, -95, 9),
    'muscle': (0.42, 0.26, 0.56, 0.04, 55, 9),
    'bone': (0.07, 0.05, 0.10, 0.02, 1150, 110),
    'marrow': (0.64, 0.42, 0.62, 0.07, 420, 110),
    'dura': (0.30, 0.22, 0.38, 0.02, 52, 4),
    'fluid': (0.15, 0.96, 0.74, 0.012, 6, 2),
    'grey': (0.51, 0.58, 0.76, 0.016, 38, 1.6),
    'white': (0.70, 0.42, 0.68, 0.014, 28, 1.4),
    'nucleus': (0.56, 0.51, 0.75, 0.014, 38, 1.6),
    'pallidum': (0.62, 0.36, 0.69, 0.014, 36, 1.6),
    'brainstem': (0.64, 0.45, 0.70, 0.018, 31, 1.6),
    'choroid': (0.40, 0.74, 0.76, 0.05, 60, 12),
    'vein': (0.24, 0.16, 0.40, 0.02, 58, 3),
    'eye': (0.20, 0.93, 0.72, 0.012, 10, 2),
    'lens': (0.48, 0.24, 0.52, 0.01, 70, 3),
    'nerve': (0.55, 0.42, 0.62, 0.01, 34, 3),
    'tumour': (0.38, 0.72, 0.84, 0.05, 40, 4),
    'rim': (0.88, 0.60, 0.86, 0.03, 66, 5),
    'necrosis': (0.22, 0.90, 0.80, 0.03, 15, 3),
    'oedema': (0.40, 0.82, 0.88, 0.02, 18, 2),
    'infarct': (0.34, 0.84, 0.92, 0.02, 17, 2),
    'clot': (0.82, 0.30, 0.66, 0.05, 72, 5),
    'stain': (0.16, 0.08, 0.22, 0.02, 22, 3),
    'lung': (0.06, 0.05, 0.08, 0.01, -850, 26),
    'vessel': (0, 0, 0, 0, 45, 7),
    'heart': (0, 0, 0, 0, 50, 7),
    'liver': (0, 0, 0, 0, 62, 8),
    'spleen': (0, 0, 0, 0, 54, 7),
    'cord': (0, 0, 0, 0, 38, 4),
    'spongy': (0, 0, 0, 0, 150, 55),
    'cortical': (0, 0, 0, 0, 480, 80),
    'gland': (0, 0, 0, 0, 20, 30),
    'effusion': (0, 0, 0, 0, 12, 4),
    'solid_lung': (0, 0, 0, 0, 25, 30),
    'table': (0, 0, 0, 0, -250, 10),
}
_COLUMNS = {'mri_t1': 0, 'mri_t2': 1, 'mri_pd': 2}


def tissue_table(modality: str, dice, contrast: bool) -> dict:
  """name -> (signal, grain) as this patient's scanner sees it: MRI 0..1, CT in HU.

  Args:
    modality: one of vocabulary.MODALITIES.
    dice: of the patient; every tissue differs a little between patients.
    contrast: an agent was given: CT vessels and what takes it up are brighter.
  """
  rows = {}
  for name, row in _TABLE.items():
    jitter = dice.between(-1, 1)
    if modality == 'ct':
      rows[name] = row[4] + jitter * (0.5 + 0.04 * abs(row[4]) ** 0.9), row[5]
    else:
      rows[name] = row[_COLUMNS[modality]] * (1 + 0.05 * jitter), row[3]
  if modality == 'ct':
    gain = dice.between(90, 300) if contrast else 0
    for name, share in (('vessel', 1.0), ('heart', 0.35), ('liver', 0.3), ('spleen', 0.4),
                        ('vein', 0.5), ('rim', 0.25), ('choroid', 0.2)):
      rows[name] = rows[name][0] + gain * share, rows[name][1]
  elif contrast:
    for name, signal in (('vein', 0.85), ('choroid', 0.8), ('dura', 0.55)):
      rows[name] = signal, rows[name][1]
  else:
    signal, grain = rows['tumour']
    rows['rim'] = 0.35 * rows['rim'][0] + 0.65 * signal, grain
  return rows
